import { ok, refused, type Result } from '../../common/core/result.ts';

/** A box of an ISO base media file. */
export interface Box {
  type: string;
  offsetBytes: number;
  /** Header included; Infinity for one that runs to the end of the file. */
  sizeBytes: number;
  headerLengthBytes: number;
}

/** How many bytes `readBoxHeader` may need. */
export const boxHeaderLengthBytesMax = 16;

/** ISO/IEC 14496-12 §4.2: size, type, and a 64-bit size where the first is 1. Undefined where there is no box. */
export function readBoxHeader(bytes: Buffer, offsetBytes: number): Box | undefined {
  if (bytes.length < 8) return undefined;
  const type = bytes.toString('latin1', 4, 8);
  if (!/^[\x20-\x7e\xa9]{4}$/.test(type)) return undefined;
  const size = bytes.readUInt32BE(0);
  if (size === 0) return { type, offsetBytes, sizeBytes: Infinity, headerLengthBytes: 8 };
  if (size !== 1) return size < 8 ? undefined : { type, offsetBytes, sizeBytes: size, headerLengthBytes: 8 };
  if (bytes.length < 16) return undefined;
  const large = Number(bytes.readBigUInt64BE(8));
  return large < 16 ? undefined : { type, offsetBytes, sizeBytes: large, headerLengthBytes: 16 };
}

// What a film is made of; a cut in anything else does no harm.
const vital = new Set(['mdat', 'moov', 'moof']);

/** Whether an MP4 or MOV is whole, by its top-level boxes: each ends within the file and one describes the tracks. */
export function checkWhole(boxes: readonly Box[], fileSizeBytes: number): Result<undefined> {
  for (const box of boxes) {
    const end = box.offsetBytes + box.sizeBytes;
    if (Number.isFinite(end) && end > fileSizeBytes && vital.has(box.type)) {
      return refused(
        'SOURCE_TRUNCATED',
        `its ${box.type} box should end at byte ${end}, but the file ends at ${fileSizeBytes}; copy it again`,
      );
    }
  }
  if (boxes.some((box) => box.type === 'moov')) return ok(undefined);
  return refused(
    'SOURCE_TRUNCATED',
    'its moov box, which recorders write last, is missing; the recording was cut off',
  );
}
