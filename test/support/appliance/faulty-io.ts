import { execFile } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { temporaryDirectory } from './serving-box.ts';

const run = promisify(execFile);
const source = new URL('./faulty-io.c', import.meta.url).pathname;
const errnos = { EIO: 5, EROFS: 30, ENOSPC: 28 };

/** A layer between a process and its disks, by which they break. */
export interface FaultyIo {
  /** What a process is to be started by. */
  readonly by: readonly string[];
  /** Fails these operations below a path from now on; a hang is for ever, whatever is asked. */
  fail(op: 'read' | 'write' | 'hang', path: string, error?: keyof typeof errnos): Promise<void>;
  mend(): Promise<void>;
}

/** Compiles the layer; a sentence that says why not where there is no compiler. */
export async function faultyIo(t: { teardown(done: () => Promise<void>): void }): Promise<FaultyIo | string> {
  const directory = await temporaryDirectory(t);
  const library = join(directory, 'faulty-io.so');
  const control = join(directory, 'faults');
  try {
    await run('cc', ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl']);
  } catch (error) {
    return `a broken disk takes a C compiler to make: ${error instanceof Error ? error.message : ''}`;
  }
  return {
    by: ['env', `LD_PRELOAD=${library}`, `FAULTY_IO=${control}`],
    fail: (op, path, error = 'EIO') => writeFile(control, `${op} ${errnos[error]} ${path}\n`),
    mend: () => rm(control, { force: true }),
  };
}
