import { readFile } from 'node:fs/promises';

/** The kernel's unit of process times, everywhere (USER_HZ). */
const ticksPerSecond = 100;

/** What processes have used of the processors since they began, in user and kernel, their threads included. */
export async function cpuSeconds(pids: readonly number[]): Promise<number> {
  const each = pids.map(async (pid) => {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    // proc(5): the name, which may hold anything, ends at the last bracket; utime and stime are fields 14 and 15.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / ticksPerSecond;
  });
  return (await Promise.all(each)).reduce((sum, seconds) => sum + seconds, 0);
}
