import { cpus } from 'node:os';

/** Below this share of idle time, work that can wait would take CPU from viewers. */
const idleShareMin = 0.5;

type CpuTimes = Readonly<Record<'user' | 'nice' | 'sys' | 'idle' | 'irq', number>>;

/**
 * Says whether the machine's CPUs were idle for half of the time since it was last asked; of its first answer, since the
 * machine started.
 */
export function idleCpu(read: () => readonly { times: CpuTimes }[] = cpus): () => boolean {
  let before = { idle: 0, all: 0 };
  let isQuiet = false;
  return () => {
    const now = { idle: 0, all: 0 };
    for (const { times } of read()) {
      now.idle += times.idle;
      now.all += times.user + times.nice + times.sys + times.irq + times.idle;
    }
    const passed = now.all - before.all;
    // Asked again at once: nothing is known but what was said.
    if (passed > 0) isQuiet = now.idle - before.idle >= passed * idleShareMin;
    before = now;
    return isQuiet;
  };
}
