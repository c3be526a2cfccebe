import { Worker } from 'node:worker_threads';
import type { ProblemCode } from '../../../common/contract/problem.ts';
import { coded } from '../../../common/runtime/errors.ts';
import type { Blend } from './core/model.ts';
import type { Verdict } from './core/train.ts';
import type { Meetings } from './meetings.ts';

/** What a training is given; arrays are handed over, not copied. */
export interface TrainingRequest {
  /** The id of the model that is to be made. */
  readonly id: string;
  readonly meetings: Meetings;
  /** The file of the model that is in force. */
  readonly incumbent: Uint8Array | undefined;
}

/** What a training came to. */
export interface Trained {
  /** Its file. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly lambda: number;
  readonly blend: Blend;
  readonly cutS: number;
  readonly verdict: Verdict;
  readonly seconds: number;
}

export type TrainingReply =
  | { readonly kind: 'progress'; readonly fraction: number }
  | ({ readonly kind: 'done' } & Trained)
  | { readonly kind: 'failed'; readonly code: ProblemCode; readonly detail: string | undefined };

/** Trains in a thread of its own. Errors: ABORTED by the signal; INTERNAL where the thread dies, for instance without memory. */
export async function trainInThread(
  request: TrainingRequest,
  { signal, onProgress }: { signal: AbortSignal; onProgress: (fraction: number) => void },
): Promise<Trained> {
  const { userOf, itemOf, ratingOf, timeOf } = request.meetings;
  const worker = new Worker(new URL('./train-worker.ts', import.meta.url), {
    workerData: request,
    transferList: [userOf.buffer, itemOf.buffer, ratingOf.buffer, timeOf.buffer],
  });
  const { promise, resolve, reject } = Promise.withResolvers<Trained>();
  worker.on('message', (reply: TrainingReply) => {
    if (reply.kind === 'progress') onProgress(reply.fraction);
    else if (reply.kind === 'done') resolve(reply);
    else reject(coded(reply.code, { detail: reply.detail }));
  });
  worker.once('error', reject);
  worker.once('exit', () => {
    reject(coded('INTERNAL', 'the thread that trains has ended before it was done'));
  });
  const abort = (): void => {
    reject(coded('ABORTED', 'stopped before it was done'));
  };
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await promise;
  } finally {
    signal.removeEventListener('abort', abort);
    await worker.terminate();
  }
}
