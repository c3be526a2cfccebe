import { open } from 'node:fs/promises';
import { FRAME_BYTES_MAX, FRAME_MARK, decodeFrame } from './log-frame.ts';
import type { SegmentPlace } from './log-segment.ts';

/** Where to look for a record: bytes of a file, and offsets that it may have (after < offset < nextOffset). */
export interface ResyncRange {
  position: number;
  endPosition: number;
  after: number;
  nextOffset: number;
}

const BLOCK_BYTES = 4 * FRAME_BYTES_MAX;

/** The next place behind damage at which a whole record with a fitting offset begins; undefined when there is none. */
export async function findRecord(path: string, range: ResyncRange): Promise<SegmentPlace | undefined> {
  const handle = await open(path, 'r');
  try {
    // Blocks overlap by the largest record, so that each record lies whole in one of them.
    for (let { position } = range; position < range.endPosition; position += BLOCK_BYTES - FRAME_BYTES_MAX) {
      const block = Buffer.alloc(Math.min(BLOCK_BYTES, range.endPosition - position));
      await handle.read(block, 0, block.length, position);
      const found = findInBlock(block, range);
      if (found !== undefined) return { offset: found.offset, position: position + found.position };
    }
    return undefined;
  } finally {
    await handle.close();
  }
}

function findInBlock(block: Buffer, range: ResyncRange): SegmentPlace | undefined {
  for (let at = block.indexOf(FRAME_MARK); at !== -1; at = block.indexOf(FRAME_MARK, at + 1)) {
    const frame = decodeFrame(block, at);
    if (frame.kind !== 'record') continue;
    if (frame.offset > range.after && frame.offset < range.nextOffset)
      return { offset: frame.offset, position: at };
  }
  return undefined;
}
