import { coded } from '../../common/runtime/errors.ts';
import { parseJsonAs } from '../../common/runtime/parse.ts';
import { HistoryRecord } from '../core/history-records.ts';
import { Moment } from '../core/moment.ts';
import { listSegments, type Segment } from './journal-files.ts';
import { readSegment } from './journal-reader.ts';

/** What a line tells at a glance; most are not parsed. */
interface Glance {
  readonly atMs: number;
  readonly kind: string;
}

const opening = /^\{"atMs":(\d+),"kind":"(\w+)"/;

function glanceAt(line: string): Glance | undefined {
  const [, atMs, kind] = opening.exec(line.slice(0, 64)) ?? [];
  return atMs === undefined || kind === undefined ? undefined : { atMs: Number(atMs), kind };
}

/** A line of the journal or of a recording. @throws STORE_CORRUPT */
export function parseRecord(line: string): HistoryRecord {
  return parseJsonAs(HistoryRecord, line, { what: 'a line of the history', code: 'STORE_CORRUPT' });
}

/** What was in force at a time. @throws HISTORY_GONE where nothing is kept of it. */
export async function momentAt(directory: string, atMs: number): Promise<Moment> {
  const moment = new Moment();
  let map: string | undefined;
  for await (const line of stateLines(await segmentsFrom(directory, atMs), atMs)) {
    if (glanceAt(line)?.kind === 'map') map = line;
    else moment.take(parseRecord(line));
  }
  if (map === undefined) throw coded('HISTORY_GONE', `no map of ${new Date(atMs).toISOString()} is kept`);
  moment.take(parseRecord(map));
  return moment;
}

async function* stateLines([segment]: readonly Segment[], untilMs: number): AsyncGenerator<string, void> {
  if (segment === undefined) return;
  for await (const line of readSegment(segment.path)) {
    const glance = glanceAt(line);
    if (glance === undefined || glance.kind === 'decision') continue;
    // The opening of a segment repeats what was in force when it began, with the times of then.
    if (glance.atMs > untilMs) return;
    yield line;
  }
}

/** The segments that tell of a time and of what came after it. */
async function segmentsFrom(directory: string, atMs: number): Promise<Segment[]> {
  const segments = await listSegments(directory);
  const first = segments.findLastIndex(({ startMs }) => startMs <= atMs);
  return first < 0 ? [] : segments.slice(first);
}

/** What a recording is to hold. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * The lines of a recording: the decisions of a span, what was in force when they were made, and the tables that its maps name, so
 * that it can be replayed anywhere. Where nothing is kept of its beginning it begins later. @throws HISTORY_GONE where
 * nothing is kept of it at all.
 */
export async function* recordingOf(
  directory: string,
  { fromMs, toMs }: Span,
  readTable: (name: string) => Promise<Uint8Array | undefined>,
): AsyncGenerator<string, void> {
  const told = new Set<string>();
  const segments = await segmentsFrom(directory, fromMs);
  const all = segments.length > 0 ? segments : await listSegments(directory);
  const wanted = all.filter(({ startMs }) => startMs <= toMs);
  if (wanted.length === 0) throw coded('HISTORY_GONE', 'nothing is kept of that time');
  for (const { path } of wanted) {
    for await (const line of readSegment(path)) {
      const glance = glanceAt(line);
      if (glance === undefined) continue;
      if (glance.atMs > toMs) break;
      if (glance.kind === 'decision' && glance.atMs < fromMs) continue;
      if (glance.kind === 'map') yield* tablesOf(line, told, readTable);
      yield line;
    }
  }
}

async function* tablesOf(
  map: string,
  told: Set<string>,
  readTable: (name: string) => Promise<Uint8Array | undefined>,
): AsyncGenerator<string, void> {
  for (const [, name = ''] of map.matchAll(/"name":"([0-9a-f]{64})"/g)) {
    if (told.has(name)) continue;
    told.add(name);
    const packed = await readTable(name);
    // Without it, the decisions under this map cannot be replayed; those of later ones can.
    if (packed === undefined) continue;
    yield JSON.stringify({ kind: 'table', name, packed: Buffer.from(packed).toString('base64') });
  }
}
