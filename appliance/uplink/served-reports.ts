import { documentTypes } from '../../common/contract/documents.ts';
import { FileName, SizeBytes, TimeMs } from '../../common/contract/primitives.ts';
import {
  servedReportAudience,
  type ServedReport,
  type ServedReportReply,
} from '../../common/contract/served.ts';
import { Type, type Static } from '../../common/contract/type.ts';
import type { FileScope } from '../../common/core/tokens/delivery-token.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { SigningKey } from '../../common/runtime/keys.ts';
import type { Log } from '../../common/runtime/log.ts';
import { matches } from '../../common/runtime/parse.ts';
import { signDocument } from '../../common/runtime/signed-documents.ts';
import { Spool, type SpoolEntry } from './spool.ts';

export interface ServedReportsOptions {
  /** A folder of its own. */
  path: string;
  /** The box's own key. */
  key: SigningKey;
  /** Delivers a signed report. Errors are the uplink's. */
  send: (jws: string, signal: AbortSignal) => Promise<ServedReportReply>;
  clock: Clock;
  chance: Chance;
  log: Log;
}

/** What was served in a moment: file, bytes to viewers, bytes to boxes that fill. */
const Line = Type.Object({
  sinceMs: TimeMs,
  untilMs: TimeMs,
  filledBytes: SizeBytes,
  files: Type.Array(Type.Tuple([FileName, SizeBytes, SizeBytes])),
  /** Of each of `files`, which of the bytes to viewers were of pictures. Lines of before have none, nor does one without such bytes. */
  pictureBytes: Type.Optional(Type.Array(SizeBytes)),
});
type Line = Static<typeof Line>;
type ServedBytes = Record<FileScope, number>;

/** What a process that dies loses at most, together with the time that a worker takes to tell (a quarter of a second). */
const keepEveryMs = 500;
const sendEveryMs = 2000;
const filesPerLine = 1000;
const bytesPerReport = 384 * 1024;
/** Some 400 MB: at 10,000 files served a minute, half a day without the control plane; far longer where fewer are. */
const reportsMax = 1000;
const signatureLifeMs = 3_600_000;

/**
 * Tells the control plane what was served, each byte once: from memory to a spool on the disk, and from there, signed, to
 * the control plane, which knows each report by its sequence. What is on the disk outlasts every crash; the control plane
 * may be away for hours.
 */
export class ServedReports {
  readonly #options: ServedReportsOptions;
  readonly #spool: Spool;
  #pending = new Map<string, ServedBytes>();
  #filledBytes = 0;
  #sinceMs: number;
  #isFailing = false;

  constructor(options: ServedReportsOptions) {
    const { path, clock, chance, log } = options;
    this.#options = options;
    this.#sinceMs = Math.round(clock.nowMs());
    this.#spool = new Spool({
      path,
      what: 'a served report',
      send: (entry, signal) => this.#send(entry, signal),
      gatherMs: sendEveryMs,
      linesMax: Infinity,
      bytesMax: bytesPerReport,
      entriesMax: reportsMax,
      clock,
      chance,
      log,
    });
  }

  /** Reports that were lost: the control plane was away for too long, or refused them. */
  get dropped(): number {
    return this.#spool.dropped;
  }

  /** Bytes of a file have left. */
  add(file: string, scope: FileScope, bytes: number): void {
    const of = this.#pending.get(file) ?? { play: 0, fill: 0, picture: 0 };
    of[scope] += bytes;
    this.#pending.set(file, of);
  }

  /** Bytes have come to fill this box. */
  filled(bytes: number): void {
    this.#filledBytes += bytes;
  }

  /** Finds what an earlier process left to be sent. */
  open(): Promise<void> {
    return this.#spool.open();
  }

  /** Keeps and sends until the signal ends it. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#keepLoop(signal), this.#spool.run(signal)]);
  }

  /** Keeps what was served last; it is sent after the next start. */
  async close(): Promise<void> {
    await this.keep();
    await this.#spool.close();
  }

  /** Brings to the disk what has been served since the last time. What cannot be written now is tried again. */
  async keep(): Promise<void> {
    const untilMs = Math.round(this.#options.clock.nowMs());
    if (this.#pending.size === 0 && this.#filledBytes === 0) {
      this.#sinceMs = untilMs;
      return;
    }
    const served = [...this.#pending];
    this.#pending = new Map();
    let filledBytes = this.#filledBytes;
    this.#filledBytes = 0;
    for (let at = 0; at === 0 || at < served.length; at += filesPerLine) {
      const part = served.slice(at, at + filesPerLine);
      const line: Line = {
        sinceMs: this.#sinceMs,
        untilMs,
        filledBytes,
        files: part.map(([file, { play, fill, picture }]) => [file, play + picture, fill]),
        ...(part.some(([, { picture }]) => picture > 0) && {
          pictureBytes: part.map(([, { picture }]) => picture),
        }),
      };
      try {
        await this.#spool.append([line]);
        this.#isFailing = false;
      } catch (error) {
        this.#takeBack(served.slice(at), filledBytes, error);
        return;
      }
      filledBytes = 0;
    }
    this.#sinceMs = untilMs;
  }

  #takeBack(served: readonly (readonly [string, ServedBytes])[], filledBytes: number, error: unknown): void {
    for (const [file, bytes] of served) {
      for (const scope of ['play', 'fill', 'picture'] as const) this.add(file, scope, bytes[scope]);
    }
    this.#filledBytes += filledBytes;
    if (!this.#isFailing)
      this.#options.log.warn({ err: error }, 'what was served cannot be kept on the disk');
    this.#isFailing = true;
  }

  async #keepLoop(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      await this.keep();
      await clock.sleep(keepEveryMs, { signal }).catch(() => undefined);
    }
  }

  async #send({ sequence, lines }: SpoolEntry, signal: AbortSignal): Promise<void> {
    const { key, clock, send } = this.#options;
    const nowMs = Math.round(clock.nowMs());
    const jws = await signDocument<ServedReport>(
      documentTypes.servedReport,
      {
        audience: servedReportAudience,
        sequence,
        issuedAtMs: nowMs,
        notAfterMs: nowMs + signatureLifeMs,
        body: reportOf(lines, nowMs),
      },
      key,
    );
    const reply = await send(jws, signal);
    // Where the disk was set back to an earlier state, sequences were used already.
    this.#spool.skipTo(reply.sequence);
  }
}

/** The lines of an entry as one report; what is not readable is left out. */
function reportOf(lines: readonly unknown[], nowMs: number): ServedReport {
  const files = new Map<string, ServedReport['files'][number]>();
  const report = { sinceMs: nowMs, untilMs: nowMs, filledBytes: 0 };
  const readable = lines.filter((line) => matches(Line, line));
  for (const line of readable) {
    report.filledBytes += line.filledBytes;
    line.files.forEach(([file, play, fill], at) => {
      const of = files.get(file) ?? { file, playBytes: 0, fillBytes: 0 };
      files.set(file, of);
      of.playBytes += play;
      of.fillBytes += fill;
      const ofPictures = line.pictureBytes?.[at] ?? 0;
      if (ofPictures > 0) of.pictureBytes = (of.pictureBytes ?? 0) + ofPictures;
    });
  }
  const [first] = readable;
  const last = readable.at(-1);
  return {
    ...report,
    ...(first && last && { sinceMs: first.sinceMs, untilMs: last.untilMs }),
    files: [...files.values()],
  };
}
