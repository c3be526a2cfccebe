import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';

const bin = new URL('../../cli/bin.ts', import.meta.url).pathname;

/** What a command printed, and the code with which it ended. */
export interface CliOutcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number | null;
}

/** The command line of an operator of this control plane: each call runs one command in a process of its own, to its end. */
export function nearcastCli(plane: {
  readonly url: string;
  readonly dataDir: string;
}): (...argv: string[]) => Promise<CliOutcome> {
  const env = {
    ...process.env,
    NEARCAST_SERVER: plane.url,
    NEARCAST_TOKEN_FILE: join(plane.dataDir, 'operator.token'),
  };
  return async (...argv) => {
    const child = spawn(process.execPath, [bin, ...argv], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const ended = once(child, 'exit') as Promise<[number | null]>;
    const [stdout, stderr, [code]] = await Promise.all([textOf(child.stdout), textOf(child.stderr), ended]);
    return { stdout, stderr, code };
  };
}
