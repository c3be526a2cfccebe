import { FillOutcome, type FillReport } from '../../common/contract/fill.ts';
import { Sequence } from '../../common/contract/primitives.ts';
import { Type, type Static } from '../../common/contract/type.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';
import { matches } from '../../common/runtime/parse.ts';
import { Spool, type SpoolEntry } from '../uplink/spool.ts';

export interface ReportSpoolOptions {
  /** A folder of its own. */
  path: string;
  /** Delivers one report; a repeat with the same id is harmless. Errors are the uplink's. */
  send: (report: FillReport, signal: AbortSignal) => Promise<void>;
  /** Entries kept while the control plane is gone; above it the oldest are dropped. */
  reportsMax: number;
  clock: Clock;
  chance: Chance;
  log: Log;
}

const Line = Type.Object({ manifestSequence: Sequence, outcome: FillOutcome });
type Line = Static<typeof Line>;

const outcomesPerReport = 1000;
const bytesPerReport = 512 * 1024;

/** Delivers what became of each file to the control plane, at least once, in the order in which the files ended. */
export class ReportSpool {
  readonly #spool: Spool;
  readonly #log: Log;
  #writing: Promise<void> = Promise.resolve();

  constructor(options: ReportSpoolOptions) {
    const { path, reportsMax, clock, chance, log } = options;
    this.#log = log;
    this.#spool = new Spool({
      path,
      what: 'a fill report',
      send: async (entry, signal) => {
        for (const report of reportsOf(entry)) await options.send(report, signal);
      },
      gatherMs: 0,
      linesMax: outcomesPerReport,
      bytesMax: bytesPerReport,
      entriesMax: reportsMax,
      clock,
      chance,
      log,
    });
  }

  /** Entries that were dropped: the control plane was away for too long, or refused them. */
  get dropped(): number {
    return this.#spool.dropped;
  }

  /** Finds what an earlier process left to be sent. */
  open(): Promise<void> {
    return this.#spool.open();
  }

  /** Adds an outcome; it is on disk shortly after. */
  add(manifestSequence: number, outcome: FillOutcome): void {
    this.#writing = this.#spool
      .append([{ manifestSequence, outcome } satisfies Line])
      .catch((error: unknown) => {
        this.#log.warn({ err: error }, 'a fill report could not be kept');
      });
  }

  /** Sends reports as they come until the signal ends it. */
  run(signal: AbortSignal): Promise<void> {
    return this.#spool.run(signal);
  }

  /** Resolves when everything that was added is on the disk or dropped; what is there is sent after it, or after the next start. */
  async close(): Promise<void> {
    await this.#writing;
    await this.#spool.close();
  }
}

/** A report is about one manifest. The ids are the same for every attempt. */
function reportsOf({ id, lines }: SpoolEntry): FillReport[] {
  const reports: FillReport[] = [];
  for (const line of lines) {
    if (!matches(Line, line)) continue;
    const { manifestSequence, outcome } = line;
    const last = reports.at(-1);
    if (last?.manifestSequence === manifestSequence) last.outcomes.push(outcome);
    else reports.push({ id: `${id}-${reports.length}`, manifestSequence, outcomes: [outcome] });
  }
  return reports;
}
