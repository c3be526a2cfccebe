import { setImmediate } from 'node:timers/promises';
import { coded } from '../../../common/runtime/errors.ts';
import type { Work } from './core/work.ts';

export interface DriveOptions {
  readonly signal: AbortSignal;
  /** Whoever else waits has a turn after so long. */
  readonly turnMs: number;
  readonly onProgress?: (fraction: number) => void;
}

/** Does work in turns, so that requests, signals and the terminal have theirs. Errors: ABORTED. */
export async function driven<T>(work: Work<T>, { signal, turnMs, onProgress }: DriveOptions): Promise<T> {
  for (let turn = performance.now(); ;) {
    const { done, value } = work.next();
    if (done === true) return value;
    if (performance.now() - turn < turnMs) continue;
    onProgress?.(value);
    await setImmediate();
    if (signal.aborted) throw coded('ABORTED', 'stopped before it was done');
    turn = performance.now();
  }
}
