import { createLog } from '../common/runtime/log.ts';
import type { ApplianceConfig } from './config.ts';
import { startDiskChild, type DiskChild } from './disk/disk-child.ts';
import type { NativeAddon } from './engine/native-addon.ts';
import { loadAddon } from './engine/native-loader.ts';
import { openGround, type ServingGround } from './serving/ground.ts';
import { startWorker, type WorkerProcess } from './serving/worker-process.ts';

/** Workers that load, with what they serve on. */
export interface EarlyWorkers {
  readonly ground: ServingGround;
  readonly processes: readonly WorkerProcess[];
}

/** The processes of a box, started before it knows what to tell them: they load while it does. */
export interface EarlyStart {
  readonly addon: NativeAddon | undefined;
  /** A process for a disk; another one is started where those that were are taken or have ended. */
  takeDisk(): DiskChild;
  /** The workers, once; undefined where none could be started. */
  takeWorkers(): EarlyWorkers | undefined;
  /** Ends those that nobody has taken. */
  end(): void;
}

/** Starts a process for each disk, and the workers. What fails here is met again, and told, when the box starts them itself. */
export async function startEarly(config: ApplianceConfig): Promise<EarlyStart> {
  const { disks, engine, origin, workers, log: logOptions } = config;
  const log = createLog({ name: origin ? 'origin' : 'appliance', ...logOptions });
  const addon = engine === 'native' ? loadAddon(log) : undefined;
  const children = origin ? [] : disks.map(() => startDiskChild(addon));
  let serving = workers > 0 ? await startWorkers(config, addon).catch(() => undefined) : undefined;
  return {
    addon,
    takeDisk() {
      for (let child = children.shift(); child !== undefined; child = children.shift())
        if (isAlive(child)) return child;
      return startDiskChild(addon);
    },
    takeWorkers() {
      const taken = serving;
      serving = undefined;
      return taken;
    },
    end() {
      for (const { process } of children.splice(0)) process.kill('SIGKILL');
      for (const process of serving?.processes ?? []) process.kill();
    },
  };
}

async function startWorkers(config: ApplianceConfig, addon: NativeAddon | undefined): Promise<EarlyWorkers> {
  const ground = await openGround(config, addon);
  return { ground, processes: ground.sockets.map((socket) => startWorker(ground.fdsOf(socket))) };
}

function isAlive({ process: { pid, exitCode, signalCode } }: DiskChild): boolean {
  return pid !== undefined && exitCode === null && signalCode === null;
}
