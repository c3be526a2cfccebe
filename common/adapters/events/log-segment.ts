import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { FRAME_BYTES_MAX, decodeFrame } from './log-frame.ts';

/** One file of the log: the events from `baseOffset` up to the next file's. */
export interface Segment {
  path: string;
  baseOffset: number;
  /** The offset that follows the last event of the file. */
  nextOffset: number;
  /** How much of the file is known to be whole. */
  sizeBytes: number;
  /** Places to begin reading at, about one every 64 KiB, ascending. */
  index: SegmentPlace[];
}

/** Where a record begins. */
export interface SegmentPlace {
  offset: number;
  position: number;
}

/** A record met by a scan; its payload lives in a buffer that is not used again. */
export interface ScannedRecord extends SegmentPlace {
  payload: Buffer;
  endsBatch: boolean;
  /** Where the next record begins. */
  endPosition: number;
}

const HEADER = 'NCEVENT1';
/** The size of what a file of the log begins with: a mark and its base offset. */
export const SEGMENT_HEADER_BYTES = 16;
const INDEX_STEP_BYTES = 64 * 1024;
const BLOCK_BYTES = 4 * FRAME_BYTES_MAX;
const namePattern = /^(\d{16})\.log$/;

/** The first bytes of a file of the log. */
export function segmentHeader(baseOffset: number): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  bytes.write(HEADER, 'latin1');
  bytes.writeBigUInt64BE(BigInt(baseOffset), 8);
  return bytes;
}

/** The name of the file that begins with this event: names sort as offsets do. */
export function segmentPath(directory: string, baseOffset: number): string {
  return join(directory, `${String(baseOffset).padStart(16, '0')}.log`);
}

/** The base offset that a file's name tells; undefined for other files. */
export function segmentBase(name: string): number | undefined {
  const digits = namePattern.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Notes where a record begins when the last place noted is far enough back. */
export function notePlace(segment: Segment, place: SegmentPlace): void {
  const last = segment.index.at(-1);
  if (last === undefined || place.position - last.position >= INDEX_STEP_BYTES) segment.index.push(place);
}

/** The last known place at or before an offset: the file's first record when none is known. */
export function findPlace(segment: Segment, offset: number): SegmentPlace {
  const place = segment.index.findLast((known) => known.offset <= offset);
  return place ?? { offset: segment.baseOffset, position: SEGMENT_HEADER_BYTES };
}

/** Whether a file begins as the file of the log with this base offset does. */
export async function hasHeader(path: string, baseOffset: number): Promise<boolean> {
  const handle = await open(path, 'r');
  try {
    const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
    await handle.read(bytes, 0, SEGMENT_HEADER_BYTES, 0);
    return bytes.equals(segmentHeader(baseOffset));
  } finally {
    await handle.close();
  }
}

/**
 * The records of a file from a place on, a block of the file at a time, up to `endPosition`. Ends early at what is no
 * record or does not carry the offset that must follow: compare the last record's end with `endPosition`.
 */
export async function* scanSegment(
  path: string,
  from: SegmentPlace,
  endPosition: number,
): AsyncGenerator<ScannedRecord[], void, undefined> {
  const handle = await open(path, 'r');
  try {
    let { offset, position } = from;
    while (position < endPosition) {
      const block = Buffer.allocUnsafe(Math.min(BLOCK_BYTES, endPosition - position));
      const { bytesRead } = await handle.read(block, 0, block.length, position);
      const records = scanBlock(block.subarray(0, bytesRead), { offset, position });
      const last = records.at(-1);
      if (last === undefined) return;
      offset = last.offset + 1;
      position = last.endPosition;
      yield records;
    }
  } finally {
    await handle.close();
  }
}

function scanBlock(block: Buffer, from: SegmentPlace): ScannedRecord[] {
  const records: ScannedRecord[] = [];
  let at = 0;
  for (;;) {
    const frame = decodeFrame(block, at);
    if (frame.kind !== 'record' || frame.offset !== from.offset + records.length) return records;
    const position = from.position + at;
    const { offset, payload, endsBatch, sizeBytes } = frame;
    records.push({ offset, position, payload, endsBatch, endPosition: position + sizeBytes });
    at += sizeBytes;
  }
}
