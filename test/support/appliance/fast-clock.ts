import { createSystemClock, type Clock } from '../../../common/runtime/clock.ts';

/** The machine's clock run `factor` times as fast, so that waits of seconds pass in a moment. */
export function createFastClock(factor: number): Clock {
  const system = createSystemClock();
  return {
    nowMs: () => system.nowMs(),
    monotonicMs: () => system.monotonicMs() * factor,
    sleep: (ms, options) => system.sleep(ms / factor, options),
  };
}
