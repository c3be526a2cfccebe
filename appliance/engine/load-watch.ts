import type { Clock } from '../../common/runtime/clock.ts';
import type { Component } from '../../common/runtime/lifecycle.ts';
import type { Log } from '../../common/runtime/log.ts';
import {
  calmLoad,
  judgeLoad,
  type LoadJudgement,
  type LoadSample,
  type LoadState,
} from '../core/judge-load.ts';
import type { LoadReading } from './engine.ts';
import { LineRate, type LineReading } from './line-rate.ts';
import { latencyBoundsUs } from './native-counters.ts';

/** What is watched, and told what follows. */
export interface WatchedServing {
  readLoad(): LoadReading & { readonly loopDelayMs: number };
  shed(judgement: LoadJudgement): void;
}

export interface LoadWatchOptions {
  serving: WatchedServing;
  line: { read(): Promise<LineReading | undefined> };
  /** The caps of all that is watched. */
  limits: { readonly connectionsMax: number; readonly requestsMax: number };
  clock: Clock;
  log: Log;
  /** The level has changed: steering should hear of it soon. */
  onLevel?: () => void;
}

const everyMs = 250;
/** Rates and latencies are of the last second: a quarter is too little to say anything. */
const windowReadings = 4;
/** Fewer answers than this in a second are no load, however long they took: the disk is judged by itself. */
const answersMin = 20;

interface Moment {
  readonly atMs: number;
  readonly ttfbCounts: readonly number[];
  readonly line: LineReading | undefined;
}

/** Judges the load four times a second, and has it shed. */
export class LoadWatch {
  readonly #options: LoadWatchOptions;
  readonly #moments: Moment[] = [];
  #state: LoadState = calmLoad;

  constructor(options: LoadWatchOptions) {
    this.#options = options;
  }

  /** Runs until it is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      await this.look();
      try {
        await clock.sleep(everyMs, { signal });
      } catch {
        return;
      }
    }
  }

  /** One look, and what follows from it. */
  async look(): Promise<void> {
    const { serving, line, clock, log, onLevel } = this.#options;
    const lineNow = await line.read();
    const reading = serving.readLoad();
    const moment = { atMs: clock.monotonicMs(), ttfbCounts: [...reading.ttfbCounts], line: lineNow };
    const sample = this.#sampleOf(reading, moment);
    this.#moments.push(moment);
    if (this.#moments.length > windowReadings) this.#moments.shift();
    const before = this.#state;
    this.#state = judgeLoad(before, sample);
    serving.shed(this.#state);
    if (this.#state.level === before.level) return;
    const { level, reasons } = this.#state;
    log[level === 'normal' ? 'info' : 'warn']({ level, reasons, ...sample }, 'what is refused has changed');
    onLevel?.();
  }

  #sampleOf(reading: LoadReading & { loopDelayMs: number }, now: Moment): LoadSample {
    const { limits } = this.#options;
    const [before] = this.#moments;
    return {
      diskDelayMs: reading.diskDelayMs,
      loopDelayMs: reading.loopDelayMs,
      ttfbMs: before === undefined ? 0 : ttfbP95Ms(before.ttfbCounts, now.ttfbCounts),
      lineShare: before === undefined ? 0 : lineShare(before, now),
      connectionsShare: reading.connections / limits.connectionsMax,
      requestsShare: reading.liveRequests / limits.requestsMax,
    };
  }
}

/** Watches the load of a box for as long as its process runs. */
export function loadComponent({
  config,
  ...options
}: Omit<LoadWatchOptions, 'line' | 'limits'> & {
  config: LoadWatchOptions['limits'] & { readonly host: string; readonly lineMbitPerSecond?: number };
}): Component {
  const line = new LineRate({ host: config.host, mbitPerSecond: config.lineMbitPerSecond });
  const watch = new LoadWatch({ ...options, line, limits: config });
  let done: Promise<unknown> | undefined;
  return {
    name: 'load',
    start({ signal, crash }) {
      done = watch.run(signal).catch(crash);
    },
    async stop() {
      await done;
    },
  };
}

/** The time within which 95 in 100 answers began, between two states of a histogram; 0 where there are too few. */
function ttfbP95Ms(before: readonly number[], now: readonly number[]): number {
  // Less than before: a worker that was counted is gone, and its answers with it.
  const counts = now.map((count, at) => Math.max(0, count - (before[at] ?? 0)));
  const total = counts.reduce((all, count) => all + count, 0);
  if (total < answersMin) return 0;
  let left = total * 0.95;
  for (const [at, count] of counts.entries()) {
    const from = at === 0 ? 0 : (latencyBoundsUs[at - 1] ?? 0);
    const to = latencyBoundsUs[at] ?? from;
    if (left <= count) return (from + (to - from) * (left / count)) / 1000;
    left -= count;
  }
  return 0;
}

function lineShare(before: Moment, now: Moment): number {
  const seconds = (now.atMs - before.atMs) / 1000;
  if (before.line === undefined || now.line === undefined || seconds <= 0) return 0;
  const bytes = Math.max(0, now.line.sentBytes - before.line.sentBytes);
  return bytes / seconds / now.line.bytesPerSecond;
}
