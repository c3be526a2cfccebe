import { systemCode } from '../../runtime/errors.ts';
import { decodePayload } from './log-frame.ts';
import { findRecord } from './log-resync.ts';
import {
  findPlace,
  notePlace,
  scanSegment,
  type ScannedRecord,
  type Segment,
  type SegmentPlace,
} from './log-segment.ts';
import type { EventPage, EventsReport, StoredEvent } from './port.ts';

// A page of the largest events would be 64 MiB.
const PAGE_BYTES_MAX = 4 * 1024 * 1024;

/** What to read: events after an offset, at most so many. */
export interface ReadInput {
  segments: readonly Segment[];
  after: number;
  limit: number;
  report: (report: EventsReport) => void;
}

/** Reads one page; passes over what was dropped or is damaged and counts it. */
export async function readPage(input: ReadInput): Promise<EventPage> {
  const { segments, after } = input;
  const page: Page = { events: [], sizeBytes: 0, next: after };
  for (const segment of segments.filter((one) => one.nextOffset - 1 > after)) {
    if (isFull(page, input)) break;
    // Events before the file were dropped.
    page.next = Math.max(page.next, segment.baseOffset - 1);
    try {
      await readSegment(segment, page, input);
    } catch (error) {
      // Dropped by retention since this read began.
      if (systemCode(error) !== 'ENOENT') throw error;
    }
  }
  return { events: page.events, next: page.next, missed: page.next - after - page.events.length };
}

interface Page {
  events: StoredEvent[];
  sizeBytes: number;
  next: number;
}

function isFull(page: Page, input: ReadInput): boolean {
  return page.events.length >= input.limit || page.sizeBytes >= PAGE_BYTES_MAX;
}

async function readSegment(segment: Segment, page: Page, input: ReadInput): Promise<void> {
  // As it is now: what is appended meanwhile is for the next page.
  const { path, nextOffset, sizeBytes } = segment;
  let from: SegmentPlace | undefined = findPlace(segment, page.next + 1);
  while (from !== undefined) {
    let position = from.position;
    for await (const records of scanSegment(path, from, sizeBytes)) {
      takeRecords(segment, records, { page, input });
      position = records.at(-1)?.endPosition ?? position;
      if (isFull(page, input)) return;
    }
    if (position >= sizeBytes) break;
    input.report({ kind: 'damaged', path, position });
    from = await findRecord(path, {
      position: position + 1,
      endPosition: sizeBytes,
      after: page.next,
      nextOffset,
    });
    if (from !== undefined) page.next = from.offset - 1;
  }
  page.next = nextOffset - 1;
}

function takeRecords(
  segment: Segment,
  records: readonly ScannedRecord[],
  to: { page: Page; input: ReadInput },
): void {
  const { page, input } = to;
  for (const record of records) {
    notePlace(segment, { offset: record.offset, position: record.position });
    if (record.offset <= page.next) continue;
    if (isFull(page, input)) return;
    page.events.push(decodePayload(record.offset, record.payload));
    page.sizeBytes += record.payload.length;
    page.next = record.offset;
  }
}
