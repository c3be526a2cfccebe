import type { ProblemCode } from '../../common/contract/problem.ts';
import type { PacketSpan } from './probe.ts';

/** How a process ended. */
export interface ProcessEnd {
  exitCode: number | undefined;
  signal: string | undefined;
  /** The last that it wrote to standard error. */
  stderr: string;
}

/** Seconds encoded so far, from a line of ffmpeg's `-progress`; undefined for the other lines. */
export function readProgressLineS(line: string): number | undefined {
  const match = /^out_time_us=(\d+)$/.exec(line.trim());
  return match === null ? undefined : Number(match[1]) / 1_000_000;
}

/** Adds a line `stream,pts,dts,duration,size` of ffprobe to the spans of the streams. */
export function readPacketLine(line: string, spans: Map<number, PacketSpan>): void {
  const [stream = '', pts = '', dts = '', duration = '', size = ''] = line.split(',');
  const index = Number(stream);
  if (!/^\d+$/.test(stream)) return;
  const time = [pts, dts].map(Number.parseFloat).find(Number.isFinite);
  if (time === undefined) return;
  const end = time + (Number.parseFloat(duration) || 0);
  const bytes = Number.parseInt(size, 10) || 0;
  const span = spans.get(index);
  if (span === undefined) {
    if (spans.size >= streamsMax) return;
    spans.set(index, { packets: 1, startS: time, endS: end, bytes, largestBytes: bytes });
    return;
  }
  span.packets++;
  span.bytes += bytes;
  span.largestBytes = Math.max(span.largestBytes, bytes);
  span.startS = Math.min(span.startS, time);
  span.endS = Math.max(span.endS, end);
}

const streamsMax = 1000;

const told: readonly (readonly [RegExp, ProblemCode])[] = [
  [/No space left on device|Disk quota exceeded/, 'DISK_FULL'],
  [
    /Cannot allocate memory|failed to map segment|malloc of size|Resource temporarily unavailable|File too large/,
    'ENCODE_LIMIT',
  ],
  [/moov atom not found/, 'SOURCE_TRUNCATED'],
  [/Protocol '.*' not on whitelist|not in allowed_extensions/, 'SOURCE_REFUSED'],
  [
    /Invalid data found when processing input|could not find codec parameters|EBML header parsing failed/i,
    'SOURCE_NOT_VIDEO',
  ],
  [/Decoder \(codec .*\) not found|Error while decoding stream|no decoder found/i, 'SOURCE_NOT_VIDEO'],
];

/** What an ffmpeg that failed has run into, by how it ended and what it said. */
export function failureCodeOf(end: ProcessEnd): ProblemCode {
  // SIGKILL that was not ours comes from a limit: CPU seconds, or the kernel out of memory.
  if (end.signal === 'SIGXFSZ' || end.signal === 'SIGXCPU' || end.signal === 'SIGKILL') return 'ENCODE_LIMIT';
  return told.find(([pattern]) => pattern.test(end.stderr))?.[1] ?? 'ENCODE_FAILED';
}

/** The last line of standard error that says something, for people; paths of the working directory never stand in it. */
export function lastWords(end: ProcessEnd): string {
  const lines = end.stderr.split('\n').map((line) => line.replace(/^\[[^\]]*\]\s*/, '').trim());
  const said = lines.filter((line) => line !== '' && !line.startsWith('Last message repeated')).slice(-2);
  const how = end.signal === undefined ? `exit code ${end.exitCode ?? '?'}` : `signal ${end.signal}`;
  return `ffmpeg ended with ${how}${said.length > 0 ? `: ${said.join('; ').slice(0, 500)}` : ''}`;
}
