import { Limiter } from '../../common/core/limiter.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import {
  holdLastGood,
  observe,
  unprobed,
  type HealthPolicy,
  type Observation,
  type ProbeState,
} from '../core/health.ts';

/** A node whose health is watched. */
export interface Target {
  readonly id: string;
  readonly url: string;
}

/** Asks a node whether it is well; never rejects but for the signal. */
export type Probe = (target: Target, signal: AbortSignal) => Promise<Observation>;

export interface MonitorOptions {
  readonly clock: Clock;
  readonly probe: Probe;
  readonly policy: HealthPolicy;
  /** From the end of a probe to the start of the next. */
  readonly intervalMs: number;
  /** The same after an outcome that speaks against the verdict: a doubt is settled soon. */
  readonly recheckMs: number;
  readonly probesMax: number;
  /** See `holdLastGood`. */
  readonly holdWindowMs: number;
  readonly onChange: (change: HealthChange) => void;
}

export interface HealthChange {
  readonly id: string;
  readonly before: ProbeState;
  readonly after: ProbeState;
}

export interface Monitor {
  /** Watches exactly these from now on. One that is new, or has moved, starts as unknown. */
  watch(targets: readonly Target[]): void;
  /** What is to be believed of each node now. */
  health(): ReadonlyMap<string, ProbeState>;
  /** Every node looks dead, so the last good state is shown. */
  holding(): boolean;
  stop(): Promise<void>;
}

interface Watched {
  readonly target: Target;
  readonly leave: AbortController;
  readonly done: Promise<void>;
}

/** Starts a monitor that probes every node on its own, a bounded number at a time. */
export function createMonitor(options: MonitorOptions): Monitor {
  const { clock, onChange } = options;
  const watched = new Map<string, Watched>();
  const states = new Map<string, ProbeState>();
  const slots = new Limiter({ runsMax: options.probesMax });
  let shown: ReadonlyMap<string, ProbeState> = states;
  let holding = false;

  const reconsider = (): void => {
    ({ states: shown, holding } = holdLastGood(states, options.holdWindowMs));
  };
  const take = (target: Target, observation: Observation): ProbeState => {
    const before = states.get(target.id) ?? unprobed(clock.nowMs());
    const after = observe(before, observation, { nowMs: clock.nowMs(), policy: options.policy });
    states.set(target.id, after);
    if (after.verdict !== before.verdict) {
      reconsider();
      onChange({ id: target.id, before, after });
    }
    return after;
  };
  const follow = async (target: Target, signal: AbortSignal): Promise<void> => {
    const isOver = (): boolean => signal.aborted;
    while (!isOver()) {
      const observation = await slots.run(() => options.probe(target, signal));
      // It may have been let go while the probe was under way.
      if (isOver()) return;
      const state = take(target, observation);
      await clock.sleep(state.against > 0 ? options.recheckMs : options.intervalMs, { signal });
    }
  };
  const release = ({ target, leave }: Watched): void => {
    leave.abort();
    watched.delete(target.id);
    states.delete(target.id);
  };

  return {
    watch(targets) {
      const wanted = new Map(targets.map((target) => [target.id, target]));
      for (const held of [...watched.values()]) {
        if (wanted.get(held.target.id)?.url !== held.target.url) release(held);
      }
      for (const target of wanted.values()) {
        if (watched.has(target.id)) continue;
        states.set(target.id, unprobed(clock.nowMs()));
        const leave = new AbortController();
        // Only the abort ends it: a probe does not reject, and a sleep only by its signal.
        const done = follow(target, leave.signal).catch(() => undefined);
        watched.set(target.id, { target, leave, done });
      }
      reconsider();
    },
    health: () => shown,
    holding: () => holding,
    async stop() {
      const all = [...watched.values()];
      all.forEach(release);
      await Promise.all(all.map(({ done }) => done));
    },
  };
}
