import { coded } from '../../common/runtime/errors.ts';
import { parseJsonAs } from '../../common/runtime/parse.ts';
import { HistoryRecord, type LostRecord } from '../core/history-records.ts';
import { Moment } from '../core/moment.ts';
import { listSegments, type Segment } from './journal-files.ts';
import { readSegment, type Broken } from './journal-reader.ts';

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

/** What was in force at a time. @throws HISTORY_GONE where nothing is kept of it, or the journal of it is damaged. */
export async function momentAt(directory: string, atMs: number): Promise<Moment> {
  const moment = new Moment();
  let map: string | undefined;
  const [segment, next] = await segmentsFrom(directory, atMs);
  const damage = new Damage(segment, next !== undefined);
  for await (const line of segment === undefined ? [] : readSegment(segment.path, damage.found)) {
    const glance = glanceAt(line);
    if (glance === undefined) continue;
    // The opening of a segment repeats what was in force when it began, with the times of then.
    if (glance.atMs > atMs) break;
    damage.passed(glance.atMs);
    if (glance.kind === 'map') map = line;
    else if (glance.kind !== 'decision') moment.take(parseRecord(line));
  }
  if (damage.isFound) {
    const until = next === undefined ? 'the next that is written' : textOf(next.startMs);
    throw coded('HISTORY_GONE', `the journal is damaged, or its process had died: nothing can be told from ${textOf(damage.fromMs)} until ${until}`); // prettier-ignore
  }
  if (map === undefined) throw coded('HISTORY_GONE', `no map of ${textOf(atMs)} is kept`);
  moment.take(parseRecord(map));
  return moment;
}

function textOf(ms: number): string {
  return new Date(ms).toISOString();
}

/** Where a segment is broken, if it is: the last of all may still be being written. */
class Damage {
  isFound = false;
  /** The last time of which it has told. */
  fromMs: number;

  constructor(segment: Segment | undefined, hasNext: boolean) {
    this.fromMs = segment?.startMs ?? 0;
    this.found = (how) => {
      this.isFound = how === 'damaged' || hasNext;
    };
  }

  readonly found: (how: Broken) => void;

  passed(atMs: number): void {
    this.fromMs = Math.max(this.fromMs, atMs);
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
 * that it can be replayed anywhere. Where a segment is damaged, it says what is lost. Where nothing is kept of its beginning it begins later. @throws HISTORY_GONE where
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
  for (const [index, segment] of wanted.entries()) {
    const damage = new Damage(segment, index < wanted.length - 1);
    for await (const line of readSegment(segment.path, damage.found)) {
      const glance = glanceAt(line);
      if (glance === undefined) continue;
      if (glance.atMs > toMs) break;
      damage.passed(glance.atMs);
      if (glance.kind === 'decision' && glance.atMs < fromMs) continue;
      if (glance.kind === 'map') yield* tablesOf(line, told, readTable);
      yield line;
    }
    if (!damage.isFound) continue;
    const untilMs = Math.max(damage.fromMs, wanted[index + 1]?.startMs ?? toMs);
    yield JSON.stringify({ atMs: damage.fromMs, kind: 'lost', untilMs } satisfies LostRecord);
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
