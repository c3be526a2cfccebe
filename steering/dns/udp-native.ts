import { once } from 'node:events';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { DecisionSink } from '../core/history-records.ts';
import type { NativeAddon } from '../native-addon.ts';
import type { Listening } from './tcp.ts';
import type { WorkerFeed } from './worker-feed.ts';
import type { FromWorker, ToWorker, WorkerStart } from './worker-messages.ts';

export interface NativeOptions {
  readonly host: string;
  readonly port: number;
  readonly addon: NativeAddon;
  readonly start: Omit<WorkerStart, 'fd'>;
  readonly feed: WorkerFeed;
  /** Told a sample of the decisions, each with how many it stands for. */
  readonly decisions: Pick<DecisionSink, 'add'>;
  /** Told once if the thread ends by itself. */
  readonly onCrash: (error: unknown) => void;
}

// Beside this file, in its form: TypeScript here, JavaScript in a package.
const entry = new URL(`./udp-worker${extname(import.meta.url)}`, import.meta.url);
/** For so long a thread without queries does not see its messages. */
const WAIT_MS = 100;

/** Answers over UDP in a thread of its own. Throws with the system's code where the address cannot be bound. */
export function listenNative(options: NativeOptions): Listening {
  const { host, port, addon, start, feed } = options;
  const fd = addon.bind(host, port, WAIT_MS);
  const worker = new Worker(entry, {
    workerData: { ...start, fd } satisfies WorkerStart,
    // A query leaves next to no garbage.
    resourceLimits: { maxYoungGenerationSizeMb: 8 },
  });
  const ended = once(worker, 'exit');
  worker.on('error', options.onCrash);
  worker.on('message', ({ weight, decision }: FromWorker) => {
    options.decisions.add(weight, decision);
  });
  const send = (message: ToWorker): void => worker.postMessage(message);
  feed.begin(send);
  return {
    port: addon.portOf(fd),
    async close() {
      feed.end();
      send({ kind: 'stop' });
      await ended;
      addon.close(fd);
    },
  };
}
