import { Worker } from 'node:worker_threads';
import type { ProblemCode } from '../../../common/contract/problem.ts';
import { coded } from '../../../common/runtime/errors.ts';
import type { TableWork } from './table-work.ts';

export interface TableCall {
  readonly id: number;
  readonly name: keyof TableWork;
  readonly given: readonly unknown[];
}

export type TableReply = { readonly id: number } & (
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code: ProblemCode; readonly detail: string | undefined }
);

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The same in a thread of its own, which is started with the first call and does not keep the process. Where it dies, as for want of
 * memory, what it was asked fails with INTERNAL, and the next call starts another.
 */
export function createTableThread(directory: string): TableWork {
  const waiting = new Map<number, Waiting>();
  let worker: Worker | undefined;
  let lastId = 0;

  const fail = (error: unknown): void => {
    worker = undefined;
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  };
  const hear = (reply: TableReply): void => {
    const call = waiting.get(reply.id);
    waiting.delete(reply.id);
    if (waiting.size === 0) worker?.unref();
    if (reply.ok) call?.resolve(reply.value);
    else call?.reject(coded(reply.code, { detail: reply.detail }));
  };
  const start = (): Worker => {
    const started = new Worker(new URL('./table-worker.ts', import.meta.url), { workerData: directory });
    started.on('message', hear);
    started.on('error', (error) => {
      if (worker === started) fail(error);
    });
    started.on('exit', () => {
      if (worker === started) fail(coded('INTERNAL', 'the thread of route tables has ended'));
    });
    return started;
  };
  const call = <Name extends keyof TableWork>(
    name: Name,
    ...given: Parameters<TableWork[Name]>
  ): ReturnType<TableWork[Name]> => {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    worker ??= start();
    worker.ref();
    waiting.set(++lastId, { resolve, reject });
    worker.postMessage({ id: lastId, name, given } satisfies TableCall);
    return promise as ReturnType<TableWork[Name]>;
  };
  return {
    take: (...given) => call('take', ...given),
    changed: (...given) => call('changed', ...given),
    difference: (...given) => call('difference', ...given),
    pick: (...given) => call('pick', ...given),
    lint: (...given) => call('lint', ...given),
    mergeSites: (...given) => call('mergeSites', ...given),
  };
}
