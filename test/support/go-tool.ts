import { execFile, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { access } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const buildTimeoutMs = 100_000;

/**
 * A server to test against that is written in Go: the path of its program, or a sentence that says why it cannot be had. It is
 * built once, with Go 1.25 or later, into ~/.cache/nearcast-test-tools and found there the next time.
 */
export async function goTool(name: string, module: string): Promise<string> {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'nearcast-test-tools');
  const program = join(cache, name);
  if (await exists(program)) return program;
  const go = (await exists('/usr/local/go/bin/go')) ? '/usr/local/go/bin/go' : 'go';
  try {
    await run(go, ['install', module], { env: { ...process.env, GOBIN: cache }, timeout: buildTimeoutMs });
    return program;
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : '';
    return `${name} could not be built (${reason ?? ''})`;
  }
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

/** Kills a child and waits for its end. */
export async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}
