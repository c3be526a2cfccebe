import { constants, setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { assert, toCoded, valueOf } from '../../../common/runtime/errors.ts';
import { decodeModel, encodeModel } from './core/model-codec.ts';
import { tasteWeights } from './core/taste.ts';
import { trainCandidate } from './core/train.ts';
import type { TrainingReply, TrainingRequest } from './train-thread.ts';

// A thread for one training: minutes of work and gigabytes of memory, then it is gone again.
assert(parentPort !== null, 'this is a worker');
const port = parentPort;
// Of this thread alone, on Linux: who answers on the same core does not wait for a training.
setPriority(constants.priority.PRIORITY_BELOW_NORMAL);

const tellEvery = 0.01;

function train({ id, meetings, incumbent }: TrainingRequest): TrainingReply {
  const started = performance.now();
  const { userOf, itemOf, ratingOf, timeOf, titles, profiles } = meetings;
  const weightOf = tasteWeights(userOf, ratingOf, profiles);
  const work = trainCandidate(
    { userOf, itemOf, weightOf, timeOf, users: profiles, items: titles.length },
    { titles, incumbent: incumbent && valueOf(decodeModel(incumbent)) },
  );
  for (let told = 0; ;) {
    const { done, value } = work.next();
    if (done === true) {
      const { model, choice, cutS, ...verdict } = value;
      const { lambda, blend } = choice;
      const bytes = encodeModel({ version: id, titles, model, blend });
      const seconds = (performance.now() - started) / 1000;
      return { kind: 'done', bytes, lambda, blend, cutS, verdict, seconds };
    }
    if (value - told < tellEvery) continue;
    told = value;
    port.postMessage({ kind: 'progress', fraction: value } satisfies TrainingReply);
  }
}

try {
  const reply = train(workerData as TrainingRequest);
  port.postMessage(reply, reply.kind === 'done' ? [reply.bytes.buffer] : []);
} catch (error) {
  const { code, detail } = toCoded(error);
  port.postMessage({ kind: 'failed', code, detail } satisfies TrainingReply);
}
