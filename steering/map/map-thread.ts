import { Worker } from 'node:worker_threads';
import type { ProblemCode } from '../../common/contract/problem.ts';
import { coded } from '../../common/runtime/errors.ts';
import type { ViewAppliance, ViewParts } from '../core/view.ts';
import type { CompiledParts, MapCompiler, OpenedMap, SignedMap } from './map-compiler.ts';

export type ThreadRequest = { readonly id: number } & (
  | { readonly kind: 'open'; readonly map: SignedMap }
  | { readonly kind: 'take'; readonly name: string; readonly packed: Uint8Array }
  | { readonly kind: 'compile' | 'compileEarly' }
  | { readonly kind: 'write' }
  /** Some of the appliances of what was compiled last in this way. */
  | {
      readonly kind: 'appliances';
      readonly of: 'compile' | 'compileEarly';
      readonly from: number;
      readonly to: number;
    }
);

/** What the thread answers to `compile`, and to `compileEarly` if anything: the appliances are asked for piece by piece. */
export type CompiledInThread = Omit<CompiledParts, 'appliances'> & { readonly count: number };

export type ThreadReply = { readonly id: number } & (
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code: ProblemCode; readonly detail: string | undefined }
);

type CompiledEarlyInThread = Omit<ViewParts, 'appliances'> & { readonly count: number };

/** What the thread is started with: where the tables are kept, what they may take there, and the file of merged routes. */
export interface ThreadStart {
  readonly folder: string;
  readonly bytesMax: number;
  readonly image: string;
}

/** A compiler in a thread of its own. */
export interface MapThread extends MapCompiler {
  close(): Promise<void>;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** So many appliances are taken in a turn of the event loop: a fraction of a millisecond, in which nobody is answered. */
const PIECE = 64;

/** Starts the thread. Where it dies, all calls fail. */
export function startMapThread(start: ThreadStart): MapThread {
  const worker = new Worker(new URL('./map-worker.ts', import.meta.url), { workerData: start });
  const waiting = new Map<number, Waiting>();
  let lastId = 0;
  let failure: Error | undefined;

  const fail = (error: Error): void => {
    failure ??= error;
    for (const { reject } of waiting.values()) reject(failure);
    waiting.clear();
  };
  worker.on('message', (reply: ThreadReply) => {
    const call = waiting.get(reply.id);
    waiting.delete(reply.id);
    if (reply.ok) call?.resolve(reply.value);
    else call?.reject(coded(reply.code, { detail: reply.detail }));
  });
  worker.on('error', fail);
  worker.on('exit', () => {
    fail(coded('ABORTED', 'the thread that compiles maps has ended'));
  });
  const call = (request: WithoutId<ThreadRequest>): Promise<unknown> => {
    if (failure !== undefined) return Promise.reject(failure);
    const id = ++lastId;
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject });
      worker.postMessage({ ...request, id });
    });
  };

  const appliancesOf = async (of: 'compile' | 'compileEarly', count: number): Promise<ViewAppliance[]> => {
    const appliances: ViewAppliance[] = [];
    while (appliances.length < count) {
      const from = appliances.length;
      const piece = await call({ kind: 'appliances', of, from, to: from + PIECE });
      appliances.push(...(piece as ViewAppliance[]));
    }
    return appliances;
  };

  return {
    open: (map) => call({ kind: 'open', map }) as Promise<OpenedMap>,
    take: async (name, packed) => {
      await call({ kind: 'take', name, packed });
    },
    async compileEarly() {
      const compiled = (await call({ kind: 'compileEarly' })) as CompiledEarlyInThread | undefined;
      if (compiled === undefined) return undefined;
      const { count, ...parts } = compiled;
      return { ...parts, appliances: await appliancesOf('compileEarly', count) };
    },
    async compile() {
      const { count, ...parts } = (await call({ kind: 'compile' })) as CompiledInThread;
      return { ...parts, appliances: await appliancesOf('compile', count) };
    },
    async write() {
      await call({ kind: 'write' });
    },
    async close() {
      await worker.terminate();
    },
  };
}

type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never;
