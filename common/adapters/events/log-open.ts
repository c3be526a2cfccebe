import { open, readdir, rename, stat, unlink } from 'node:fs/promises';
import { coded } from '../../runtime/errors.ts';
import { makeDirectory, syncDirectory } from '../../runtime/durable.ts';
import {
  SEGMENT_HEADER_BYTES,
  hasHeader,
  notePlace,
  scanSegment,
  segmentBase,
  segmentHeader,
  segmentPath,
  type Segment,
  type SegmentPlace,
} from './log-segment.ts';
import type { EventsReport } from './port.ts';

/** The offsets that the files of a log begin with, oldest first; none for one that begins. Makes its directory. */
export async function listSegments(directory: string): Promise<number[]> {
  await makeDirectory(directory);
  const bases = (await readdir(directory)).map(segmentBase).filter((base) => base !== undefined);
  return bases.sort((left, right) => left - right);
}

/**
 * The files of a log that begin with these offsets, never none. The last one is read through: what its process had not finished writing when
 * it died is cut off and reported. Of the others only the header is looked at; their records are checked when read.
 */
export async function recoverSegments(
  directory: string,
  { bases, report }: { bases: readonly number[]; report: (report: EventsReport) => void },
): Promise<Segment[]> {
  const segments: Segment[] = [];
  for (const [index, baseOffset] of bases.entries()) {
    const path = segmentPath(directory, baseOffset);
    const { size: sizeBytes } = await stat(path);
    segments.push({ path, baseOffset, nextOffset: bases[index + 1] ?? baseOffset, sizeBytes, index: [] });
  }
  const last = segments.at(-1);
  if (last === undefined) return [await createSegment(directory, 1)];
  await recoverTail(last, report);
  return segments;
}

/** Makes the file of the log that begins with this event. */
export async function createSegment(directory: string, baseOffset: number): Promise<Segment> {
  const path = segmentPath(directory, baseOffset);
  // Renamed when it is whole: a file of the log has its header or is not there.
  const temp = `${path}.new`;
  const handle = await open(temp, 'w', 0o640);
  try {
    await handle.write(segmentHeader(baseOffset), 0, SEGMENT_HEADER_BYTES, 0);
    await handle.sync();
  } catch (error) {
    await unlink(temp).catch(() => undefined);
    throw error;
  } finally {
    await handle.close();
  }
  await rename(temp, path);
  await syncDirectory(directory);
  return { path, baseOffset, nextOffset: baseOffset, sizeBytes: SEGMENT_HEADER_BYTES, index: [] };
}

/** Finds the end of the last whole batch and cuts off what follows. */
async function recoverTail(segment: Segment, report: (report: EventsReport) => void): Promise<void> {
  const { path, baseOffset } = segment;
  const fileBytes = segment.sizeBytes;
  if (!(await hasHeader(path, baseOffset))) {
    throw coded(
      'STORE_CORRUPT',
      `${path} does not begin as a file of an event log; restore it or move it away`,
    );
  }
  let whole: SegmentPlace = { offset: baseOffset, position: SEGMENT_HEADER_BYTES };
  for await (const records of scanSegment(path, whole, fileBytes)) {
    for (const record of records) {
      if (record.endsBatch) whole = { offset: record.offset + 1, position: record.endPosition };
      notePlace(segment, { offset: record.offset, position: record.position });
    }
  }
  segment.nextOffset = whole.offset;
  segment.sizeBytes = whole.position;
  segment.index = segment.index.filter((place) => place.position < whole.position);
  if (whole.position === fileBytes) return;
  const handle = await open(path, 'r+');
  try {
    await handle.truncate(whole.position);
    await handle.sync();
  } finally {
    await handle.close();
  }
  report({ kind: 'torn-tail', path, cutBytes: fileBytes - whole.position });
}
