import type { Command } from 'commander';

import type { GlobalOptions } from './context.ts';
import { createOutput, type Output } from './output/output.ts';

/** The output of a command that works in this process and asks no control plane. */
export function outputOf(command: Command): Output {
  const { json = false } = command.optsWithGlobals<GlobalOptions>();
  return createOutput({ json, stdout: process.stdout, stderr: process.stderr });
}

/** Shows a bar while work goes on, and what it has come to; what went wrong is said on a line of its own. */
export async function withProgress<T>(
  output: Output,
  name: string,
  work: (onProgress: (fraction: number, what: string) => void) => Promise<{ done: T; said: string }>,
): Promise<T> {
  const progress = output.progress(name);
  let shown: string | undefined;
  try {
    const { done, said } = await work((fraction, what) => {
      shown = what;
      progress.update(fraction, what);
    });
    progress.done(said);
    return done;
  } catch (error) {
    if (shown !== undefined) progress.fail(shown);
    throw error;
  }
}
