import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

import { withFileThreads } from '../../common/runtime/file-threads.ts';
import type { NativeAddon } from '../engine/native-addon.ts';
import { sharedBytes } from './chunk-pipe.ts';

/** A process that waits to be told which disk it is for. */
export interface DiskChild {
  readonly process: ChildProcess;
  /** What it shares with this process; undefined where chunks are copied to it. */
  readonly memory: Buffer | undefined;
}

// Beside this file, in its form: TypeScript here, JavaScript in the package.
const entry = fileURLToPath(new URL(`./disk-worker${extname(import.meta.url)}`, import.meta.url));

/** Starts the process of a disk. With the addon chunks are in memory that both processes have; without it they are copied to the other one. */
export function startDiskChild(addon: NativeAddon | undefined): DiskChild {
  const memory = share(addon);
  const child = spawn(process.execPath, [entry], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc', 'pipe', memory?.fd ?? 'ignore'],
    env: withFileThreads(process.env),
  });
  // Whoever uses it sees that it has no process; without a listener it would end this one.
  child.on('error', () => undefined);
  if (memory !== undefined) closeSync(memory.fd);
  return { process: child, memory: memory?.bytes };
}

/** Memory of its own for each process: what one that hangs reads still serves nothing else. */
function share(addon: NativeAddon | undefined): { fd: number; bytes: Buffer } | undefined {
  if (addon === undefined) return undefined;
  try {
    const fd = addon.makeShared();
    return { fd, bytes: addon.mapShared({ fd, bytes: sharedBytes }) };
  } catch {
    // Chunks are copied then.
    return undefined;
  }
}
