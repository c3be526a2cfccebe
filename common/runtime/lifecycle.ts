import type { Clock } from './clock.ts';
import { coded, toCoded } from './errors.ts';
import type { Log } from './log.ts';

/** What a component may use while it lives. */
export interface ComponentContext {
  /** Aborted when the process begins to stop. */
  signal: AbortSignal;
  /** Reports that the component cannot go on; the whole process stops with this error. */
  crash: (error: unknown) => void;
}

/** A part of a process, started in order and stopped in reverse. */
export interface Component {
  name: string;
  start?: (context: ComponentContext) => void | Promise<void>;
  /** Takes no new work and ends when the work in hand is finished. All drains run at the same time. */
  drain?: () => void | Promise<void>;
  stop?: () => void | Promise<void>;
  /** Deadlines; what is not done by then is left behind with a log record. */
  startTimeoutMs?: number;
  drainTimeoutMs?: number;
  stopTimeoutMs?: number;
}

export interface LifecycleOptions {
  components: readonly Component[];
  log: Log;
  clock: Clock;
}

export interface Lifecycle {
  /** Starts all in order; when one fails, stops what had started and throws its coded error. */
  start(): Promise<void>;
  /** Drains, then stops all in reverse order. Never throws: what fails is logged. Safe to call twice. */
  stop(): Promise<void>;
  /** Resolves with the error of the component that crashed first. */
  crashed: Promise<unknown>;
}

const START_TIMEOUT_MS = 60_000;
const DRAIN_TIMEOUT_MS = 10_000;
const STOP_TIMEOUT_MS = 5_000;

/** Ordered start, drain and stop of a process's components, each with a deadline. */
export function createLifecycle({ components, log, clock }: LifecycleOptions): Lifecycle {
  const stopping = new AbortController();
  const crash = Promise.withResolvers<unknown>();
  const started: Component[] = [];
  let stopped: Promise<void> | undefined;

  const within = (component: Component, phase: Phase): Promise<void> =>
    runWithin({ component, phase, clock, run: () => runPhase(component, phase, context) });
  const attempt = async (component: Component, phase: 'drain' | 'stop'): Promise<void> => {
    try {
      await within(component, phase);
    } catch (error) {
      log.error({ component: component.name, phase, err: error }, 'component failed');
    }
  };
  const context: ComponentContext = {
    signal: stopping.signal,
    crash: (error) => {
      if (!stopping.signal.aborted) crash.resolve(error);
    },
  };
  const stopAll = async (): Promise<void> => {
    await Promise.all(started.map((component) => attempt(component, 'drain')));
    stopping.abort(coded('ABORTED', 'the process stops'));
    for (const component of started.toReversed()) await attempt(component, 'stop');
    started.length = 0;
  };
  const stop = (): Promise<void> => (stopped ??= stopAll());

  return {
    crashed: crash.promise,
    stop,
    async start() {
      for (const component of components) {
        try {
          // Before the start: one that failed half-way is stopped too.
          started.push(component);
          await within(component, 'start');
          if (stopped !== undefined) throw coded('ABORTED', 'stopped while starting');
          log.debug({ component: component.name }, 'component started');
        } catch (error) {
          await stop();
          throw toCoded(error);
        }
      }
    },
  };
}

type Phase = 'start' | 'drain' | 'stop';

async function runPhase(component: Component, phase: Phase, context: ComponentContext): Promise<void> {
  if (phase === 'start') await component.start?.(context);
  else await component[phase]?.();
}

function timeoutMsOf(component: Component, phase: Phase): number {
  if (phase === 'start') return component.startTimeoutMs ?? START_TIMEOUT_MS;
  if (phase === 'drain') return component.drainTimeoutMs ?? DRAIN_TIMEOUT_MS;
  return component.stopTimeoutMs ?? STOP_TIMEOUT_MS;
}

async function runWithin({
  component,
  phase,
  clock,
  run,
}: {
  component: Component;
  phase: Phase;
  clock: Clock;
  run: () => Promise<void>;
}): Promise<void> {
  const done = new AbortController();
  const timeoutMs = timeoutMsOf(component, phase);
  const expired = clock.sleep(timeoutMs, { signal: done.signal }).then(
    () => {
      throw coded('TIMEOUT', `${component.name} did not ${phase} within ${timeoutMs} ms`);
    },
    () => undefined,
  );
  try {
    await Promise.race([run(), expired]);
  } finally {
    done.abort();
  }
}
