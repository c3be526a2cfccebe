import { Worker } from 'node:worker_threads';
import type { ProblemCode } from '../../common/contract/problem.ts';
import { coded } from '../../common/runtime/errors.ts';
import type { CompiledParts, MapCompiler, OpenedMap, SignedMap } from './map-compiler.ts';

export type WorkerRequest = { readonly id: number } & (
  | { readonly kind: 'open'; readonly map: SignedMap }
  | { readonly kind: 'take'; readonly name: string; readonly packed: Uint8Array }
  | { readonly kind: 'compile' }
);

export type WorkerReply = { readonly id: number } & (
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code: ProblemCode; readonly detail: string | undefined }
);

/** A compiler in a thread of its own. */
export interface MapLoader extends MapCompiler {
  close(): Promise<void>;
}

/** What the tables of maps, present and past, may take on disk. */
const TABLES_BYTES_MAX = 1024 * 1024 * 1024;

interface Waiting {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** Starts the thread. `folder` is where the tables are kept. Calls are answered in turn; where the thread dies, all fail. */
export function startMapLoader(folder: string): MapLoader {
  const worker = new Worker(new URL('./map-worker.ts', import.meta.url), {
    workerData: { folder, bytesMax: TABLES_BYTES_MAX },
    resourceLimits: { maxYoungGenerationSizeMb: 16 },
  });
  const waiting = new Map<number, Waiting>();
  let lastId = 0;
  let failure: unknown;

  const fail = (error: unknown): void => {
    failure ??= error;
    for (const { reject } of waiting.values()) reject(failure);
    waiting.clear();
  };
  worker.on('message', (reply: WorkerReply) => {
    const call = waiting.get(reply.id);
    waiting.delete(reply.id);
    if (reply.ok) call?.resolve(reply.value);
    else call?.reject(coded(reply.code, reply.detail === undefined ? {} : { detail: reply.detail }));
  });
  worker.on('error', fail);
  worker.on('exit', () => {
    fail(coded('ABORTED', 'the thread that compiles maps has ended'));
  });
  const call = (
    request: DistributiveOmit<WorkerRequest, 'id'>,
    transfer: ArrayBuffer[] = [],
  ): Promise<unknown> => {
    if (failure !== undefined) return Promise.reject(failure as Error);
    const id = ++lastId;
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject });
      worker.postMessage({ ...request, id }, transfer);
    });
  };

  return {
    open: (map) => call({ kind: 'open', map }) as Promise<OpenedMap>,
    take: async (name, packed) => {
      await call({ kind: 'take', name, packed });
    },
    compile: () => call({ kind: 'compile' }) as Promise<CompiledParts>,
    async close() {
      await worker.terminate();
    },
  };
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
