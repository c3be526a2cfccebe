import { createHash } from 'node:crypto';

import type { PlayerEvent } from '../../../../common/contract/playback.ts';

/** When a session was last heard of, and whether it played then. */
export interface CmcdSight {
  readonly timeMs: number;
  readonly isPlaying: boolean;
}

/** What a body of event reports tells. */
export interface CmcdReports {
  readonly events: PlayerEvent[];
  /** How many lines are no event report. */
  readonly unreadable: number;
  /** To be given with the session's next body. */
  readonly sight: CmcdSight | undefined;
}

/** As many events as a batch in JSON may have. */
const linesMax = 100;
const lineLengthMax = 4096;
/** Reports come every 30 s where players are not told otherwise; a longer silence is no playing. */
const silenceMsMax = 120_000;
const msMax = 600_000;
const positionMsMax = 864_000_000;
const stallMsMax = 86_400_000;
const bpsMax = 1_000_000_000;

/** The lines of the body of `POST` in CMCD's event mode: as many as count, which is known before any is read. */
export function cmcdLines(body: string): string[] {
  return body.split('\n', linesMax).filter((line) => line.trim() !== '');
}

/**
 * Reads the lines of CMCD's event mode, one report each (CTA-5004-B). Of a line's keys only those count that
 * say how playing goes; what would name a viewer, a device or a URL is not looked at. A report's id is the hash of its line,
 * which holds its time and sequence number: sent again, it is the same. How long it played is the time between two reports of a player that
 * played at the first.
 */
export function readCmcdReports(
  lines: readonly string[],
  { decode, sight }: { decode: (text: string) => object; sight: CmcdSight | undefined },
): CmcdReports {
  const told = lines.map((line) => reportOf(line.trim(), decode));
  const reports = told.filter((one) => one !== undefined).toSorted((a, b) => a.timeMs - b.timeMs);
  let last = sight;
  const events = reports.flatMap((report) => {
    const playedMs = last?.isPlaying === true ? playedBetween(last.timeMs, report.timeMs) : 0;
    if (last === undefined || report.timeMs >= last.timeMs)
      last = {
        timeMs: report.timeMs,
        isPlaying: report.state === undefined ? last?.isPlaying === true : report.state === 'p',
      };
    return eventOf(report, playedMs);
  });
  return { events, unreadable: lines.length - reports.length, sight: last };
}

interface Report {
  readonly id: string;
  readonly timeMs: number;
  readonly event: string;
  readonly state: string | undefined;
  readonly keys: Readonly<Record<string, unknown>>;
}

function reportOf(line: string, decode: (text: string) => object): Report | undefined {
  if (line.length > lineLengthMax) return undefined;
  let keys: Record<string, unknown>;
  try {
    keys = { ...decode(line) };
  } catch {
    return undefined;
  }
  const [timeMs, event] = [numberOf(keys['ts'], Number.MAX_SAFE_INTEGER), tokenOf(keys['e'])];
  if (timeMs === undefined || event === undefined) return undefined;
  const id = `cmcd-${createHash('sha256').update(line).digest('base64url')}`;
  return { id, timeMs, event, state: tokenOf(keys['sta']), keys };
}

function playedBetween(fromMs: number, toMs: number): number {
  const ms = toMs - fromMs;
  return ms > 0 && ms <= silenceMsMax ? ms : 0;
}

// CTA-5004-B: bitrates are in kbit/s, times in ms.
function eventOf({ id, timeMs, event, state, keys }: Report, playedMs: number): PlayerEvent[] {
  const type = typeOf(event, state, keys);
  if (type === undefined && playedMs === 0) return [];
  const optional = {
    playedMs: playedMs === 0 ? undefined : playedMs,
    startMs: numberOf(keys['msd'], msMax),
    stallMs: numberOf(keys['bsd'], stallMsMax),
    throughputBps: scaled(numberOf(keys['mtp'], bpsMax / 1000)),
    bitrateBps: scaled(numberOf(keys['br'], bpsMax / 1000)),
  };
  const positionMs = numberOf(keys['pt'], positionMsMax) ?? 0;
  const told = Object.entries(optional).filter(([, value]) => value !== undefined);
  return [{ id, timeMs, type: type ?? 'progress', positionMs, ...Object.fromEntries(told) }];
}

function typeOf(
  event: string,
  state: string | undefined,
  keys: Report['keys'],
): PlayerEvent['type'] | undefined {
  if (event === 'e' || (event === 'ps' && state === 'f')) return 'error';
  // How long media took to start is told once, and a buffer that ran dry when it is full again.
  if (keys['msd'] !== undefined) return 'play';
  if (keys['bsd'] !== undefined) return 'stall';
  if (event === 'bc') return 'rendition';
  if (event === 'ps') return state === 'e' ? 'end' : undefined;
  return event === 't' ? 'progress' : undefined;
}

function scaled(kilobits: number | undefined): number | undefined {
  return kilobits === undefined ? undefined : kilobits * 1000;
}

/** A whole number, or of a list the largest: version 2 has one for each kind of object. */
function numberOf(value: unknown, max: number): number | undefined {
  const values = (Array.isArray(value) ? (value as unknown[]) : [value]).map(bare);
  const numbers = values.filter((one) => typeof one === 'number' && one >= 0 && one <= max);
  return numbers.length === 0 ? undefined : Math.round(Math.max(...(numbers as number[])));
}

function tokenOf(value: unknown): string | undefined {
  const plain = bare(value);
  const text = typeof plain === 'symbol' ? plain.description : plain;
  return typeof text === 'string' && /^[a-z]{1,2}$/.test(text) ? text : undefined;
}

function bare(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'value' in value ? value.value : value;
}
