// The thread that answers UDP: it blocks in the kernel until packets come, and turns to its messages ten times a second.
import { parentPort, workerData } from 'node:worker_threads';
import { createSystemChance } from '../../common/runtime/chance.ts';
import { createSystemClock } from '../../common/runtime/clock.ts';
import { assert } from '../../common/runtime/errors.ts';
import { BatchClock } from './batch-clock.ts';
import { Cookies } from './cookies.ts';
import { requireAddon } from '../native-addon.ts';
import { RateLimit } from './rate-limit.ts';
import { Responder } from './responder.ts';
import { openBatches } from './udp-batches.ts';
import type { FromWorker, ToWorker, WorkerStart } from './worker-messages.ts';
import { createWorkerSource } from './worker-source.ts';

const TURN_MS = 100;

assert(parentPort !== null, 'this is a worker');
const port = parentPort;
const start = workerData as WorkerStart;
const clock = new BatchClock(createSystemClock());
const state = createWorkerSource(start.policy, {
  clock,
  chance: createSystemChance(),
  onDecision: (weight, decision) => {
    port.postMessage({ weight, decision } satisfies FromWorker);
  },
});
const responder = new Responder({
  transport: 'udp',
  zone: start.zone,
  source: state.source,
  cookies: new Cookies(start.cookieRoot),
  limit: new RateLimit(start),
  counts: start.counts,
});
const answerBatch = openBatches(requireAddon(), start.fd, { responder, clock });
let isTurning = false;

const turn = (): void => {
  const endMs = clock.monotonicMs() + TURN_MS;
  do answerBatch();
  while (clock.monotonicMs() < endMs);
  if (isTurning) setImmediate(turn);
};

port.on('message', (message: ToWorker) => {
  if (message.kind === 'stop') {
    isTurning = false;
    port.close();
    return;
  }
  clock.read();
  state.take(message);
  // The first state of health comes behind the map: from then on the answers are the right ones.
  if (message.kind !== 'health' || isTurning) return;
  isTurning = true;
  setImmediate(turn);
});
