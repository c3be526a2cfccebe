import { crc32 } from 'node:zlib';
import { coded } from '../../runtime/errors.ts';
import type { NewEvent, StoredEvent } from './port.ts';

// A record: "NC", flags, 0, u32 size of the payload, u64 offset, u32 CRC of all that; then the payload, JSON.
/** The two bytes that every record begins with. */
export const FRAME_MARK = Buffer.from('NC', 'latin1');
const MAGIC = FRAME_MARK.readUInt16BE();
const BATCH_END = 1;
const CRC_AT = 16;
/** The size of a record without its payload. */
export const FRAME_HEADER_BYTES = 20;
/** The largest payload of a record. */
export const PAYLOAD_BYTES_MAX = 64 * 1024;
/** The largest record. */
export const FRAME_BYTES_MAX = FRAME_HEADER_BYTES + PAYLOAD_BYTES_MAX;

/** The JSON of an event without its offset, which it is given when it is written. VALUE_TOO_LARGE above 64 KiB. */
export function encodePayload(event: NewEvent): Buffer {
  const { id, type, timeMs, data } = event;
  const payload = Buffer.from(JSON.stringify({ id, type, timeMs, data }));
  if (payload.length > PAYLOAD_BYTES_MAX) {
    throw coded('VALUE_TOO_LARGE', `an event of ${String(payload.length)} bytes of JSON`);
  }
  return payload;
}

/** The bytes of a batch as the log holds it; the last record is marked, so that half a batch can be told. */
export function encodeBatch(payloads: readonly Buffer[], firstOffset: number): Buffer {
  const sizeBytes = payloads.reduce((sum, payload) => sum + FRAME_HEADER_BYTES + payload.length, 0);
  const bytes = Buffer.alloc(sizeBytes);
  let at = 0;
  for (const [index, payload] of payloads.entries()) {
    bytes.writeUInt16BE(MAGIC, at);
    bytes.writeUInt8(index === payloads.length - 1 ? BATCH_END : 0, at + 2);
    bytes.writeUInt32BE(payload.length, at + 4);
    bytes.writeBigUInt64BE(BigInt(firstOffset + index), at + 8);
    payload.copy(bytes, at + FRAME_HEADER_BYTES);
    bytes.writeUInt32BE(checksum(bytes, at, payload.length), at + CRC_AT);
    at += FRAME_HEADER_BYTES + payload.length;
  }
  return bytes;
}

/** A record found in a buffer; `short`: more bytes are needed to tell; `bad`: no record of ours is here. */
export type Frame =
  | { kind: 'record'; offset: number; endsBatch: boolean; payload: Buffer; sizeBytes: number }
  | { kind: 'short' | 'bad' };

/** Reads the record at a position of a buffer. */
export function decodeFrame(bytes: Buffer, at: number): Frame {
  if (bytes.length - at < FRAME_HEADER_BYTES) return { kind: 'short' };
  const payloadBytes = bytes.readUInt32BE(at + 4);
  if (bytes.readUInt16BE(at) !== MAGIC || payloadBytes > PAYLOAD_BYTES_MAX) return { kind: 'bad' };
  const sizeBytes = FRAME_HEADER_BYTES + payloadBytes;
  if (bytes.length - at < sizeBytes) return { kind: 'short' };
  if (bytes.readUInt32BE(at + CRC_AT) !== checksum(bytes, at, payloadBytes)) return { kind: 'bad' };
  return {
    kind: 'record',
    offset: Number(bytes.readBigUInt64BE(at + 8)),
    endsBatch: (bytes.readUInt8(at + 2) & BATCH_END) !== 0,
    payload: bytes.subarray(at + FRAME_HEADER_BYTES, at + sizeBytes),
    sizeBytes,
  };
}

/** The event of a record whose checksum has been found right. */
export function decodePayload(offset: number, payload: Buffer): StoredEvent {
  // What was written by encodePayload and has kept its checksum has that form.
  return { offset, ...(JSON.parse(payload.toString('utf8')) as Omit<StoredEvent, 'offset'>) };
}

function checksum(bytes: Buffer, at: number, payloadBytes: number): number {
  const head = crc32(bytes.subarray(at, at + CRC_AT));
  return crc32(bytes.subarray(at + FRAME_HEADER_BYTES, at + FRAME_HEADER_BYTES + payloadBytes), head);
}
