import type { Revocations } from '../../common/contract/documents.ts';
import type { FileScope } from '../../common/core/tokens/delivery-token.ts';
import { loadLevels, type Admission, type LoadJudgement } from '../core/judge-load.ts';
import type { EngineAddress, EngineLoad, EngineTls, LoadReading } from '../engine/engine.ts';

/** What `/healthz` and heartbeats say. */
export type BoxState = 'ready' | 'draining';

/** How the serving of the whole box does. */
export interface ServingLoad extends EngineLoad {
  /** Viewers' sessions that asked for something lately, each once however many workers it meets. */
  readonly liveSessions: number;
  /** Descriptors of content that are open. */
  readonly openFiles: number;
}

/** What load is judged by, of the whole box. */
export interface ServingReading extends LoadReading {
  /** The longest that an event loop that serves was late since this was last read. */
  readonly loopDelayMs: number;
}

/** Bytes of a file that have left since this was last told; told once and never taken back. */
export type ServedListener = (file: string, scope: FileScope, bytes: number) => void;

/**
 * What a box asks of its serving, be it this process or several workers. What is set counts for everyone who serves, and
 * for every worker that is started later.
 */
export interface ServingUnit {
  /** Serves from now on. Errors: ADDRESS_IN_USE, ADDRESS_UNAVAILABLE, SERVING_WORKER_FAILED. */
  start(): Promise<EngineAddress>;
  /** The keyset has changed: tokens are verified again. */
  keysChanged(): void;
  setRevocations(revocations: Revocations): void;
  setState(state: BoxState): void;
  admit(admission: Admission): void;
  shed(judgement: LoadJudgement): void;
  readLoad(): ServingReading;
  setTls(tls: EngineTls | undefined): void;
  setTicketKeys(keys: readonly Buffer[]): void;
  setAddressKey(key: Buffer): void;
  load(): ServingLoad;
  /** Problem codes of what is wrong with serving. */
  reasons(): string[];
  /** The metrics of everything on the box, as Prometheus reads them. */
  metricsText(): Promise<string>;
  /** Accepts no more, waits for what is in flight, then cuts what is left at the deadline. */
  close(deadlineMs: number): Promise<void>;
}

/** The load of several as one: counts are summed, and the worst says how full the box is. */
export function sumLoads(loads: readonly EngineLoad[]): EngineLoad {
  const sum = (count: (load: EngineLoad) => number): number =>
    loads.reduce((all, load) => all + count(load), 0);
  const levels = loads.map(({ level }) => loadLevels.indexOf(level));
  return {
    liveRequests: sum((load) => load.liveRequests),
    connections: sum((load) => load.connections),
    failures: sum((load) => load.failures),
    headroom: Math.min(1, ...loads.map((load) => load.headroom)),
    level: loadLevels[Math.max(0, ...levels)] ?? 'normal',
    reasons: [...new Set(loads.flatMap(({ reasons }) => reasons))],
  };
}

/** The readings of several as one: the longest waits, and the sum of what is counted. */
export function sumReadings(readings: readonly ServingReading[]): ServingReading {
  const sum = (count: (one: ServingReading) => number): number =>
    readings.reduce((all, one) => all + count(one), 0);
  const most = (length: (one: ServingReading) => number): number => Math.max(0, ...readings.map(length));
  const buckets = most(({ ttfbCounts }) => ttfbCounts.length);
  return {
    connections: sum((one) => one.connections),
    liveRequests: sum((one) => one.liveRequests),
    diskDelayMs: most((one) => one.diskDelayMs),
    loopDelayMs: most((one) => one.loopDelayMs),
    ttfbCounts: Array.from({ length: buckets }, (_, at) => sum((one) => one.ttfbCounts[at] ?? 0)),
    sentBytes: sum((one) => one.sentBytes),
  };
}
