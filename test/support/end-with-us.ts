import type { ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';

const children = new Set<ChildProcess>();
const directories = new Set<string>();
/** What a shell says of one that a signal has ended. */
const endedBySignal = { SIGINT: 130, SIGTERM: 143 } as const;
let isWatching = false;

/** Has a process end when this one does, whether it comes to its end or is told to end (SIGINT, SIGTERM). */
export function endWithUs<Child extends ChildProcess>(child: Child): Child {
  watch();
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

/** Has a directory removed when this process ends, after the processes in it. */
export function removeWithUs(directory: string): string {
  watch();
  directories.add(directory);
  return directory;
}

function watch(): void {
  if (isWatching) return;
  isWatching = true;
  process.once('exit', () => {
    for (const child of children) child.kill('SIGKILL');
    for (const directory of directories) rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  });
  for (const [signal, code] of Object.entries(endedBySignal))
    process.once(signal, () => {
      process.exit(code);
    });
}
