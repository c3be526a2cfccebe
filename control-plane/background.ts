import type { Clock } from '../common/runtime/clock.ts';
import type { Component } from '../common/runtime/lifecycle.ts';

/** Work that runs until the process stops. Its failure ends the process. */
export function loop(name: string, run: (signal: AbortSignal) => Promise<void>): Component {
  let running: Promise<void> | undefined;
  return {
    name,
    start: ({ signal, crash }) => {
      running = run(signal).catch(crash);
    },
    stop: () => running,
  };
}

/** A service that starts and stops its own work. */
export function started(
  name: string,
  service: { start(signal: AbortSignal): void; stop(): Promise<void> },
): Component {
  return {
    name,
    start: ({ signal }) => {
      service.start(signal);
    },
    stop: () => service.stop(),
  };
}

/** A component that is told to end before it is awaited. */
export function withStop(component: Component, stop: () => Promise<void>): Component {
  return {
    ...component,
    stop: async () => {
      await stop();
      await component.stop?.();
    },
  };
}

/** Does the work again and again until the signal is aborted, first when so much time has passed. A failure goes to `onError`, and the next time tries again. */
export async function every({
  ms,
  clock,
  signal,
  work,
  onError,
}: {
  ms: number;
  clock: Clock;
  signal: AbortSignal;
  work: () => Promise<void>;
  onError: (error: unknown) => void;
}): Promise<void> {
  for (;;) {
    await clock.sleep(ms, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    await work().catch(onError);
  }
}
