// A serving worker: started by the master (pool.ts), told everything over the channel, gone when the master is.
import { keepHeapSmall, letHeapGrow } from '../../common/runtime/heap.ts';
import { exitCodes } from '../../common/runtime/exit-codes.ts';
import { toCoded } from '../../common/runtime/errors.ts';
import type { Log } from '../../common/runtime/log.ts';
import { parseKindAs } from '../../common/runtime/parse.ts';
import { ToWorker, type FromWorker } from './messages.ts';
import { openWorker, type Worker } from './worker-serving.ts';

keepHeapSmall();
// The master decides when it ends; Ctrl-C in a terminal reaches both.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => undefined);
// Without its master nobody reads what it logs.
process.stdout.on('error', () => undefined);
process.stderr.on('error', () => undefined);

let worker: Worker | undefined;
let log: Log | undefined;
let ending = false;
/** What was said is done in the order in which it was said. */
let turn = Promise.resolve();

process.on('message', (value) => {
  turn = turn.then(() => hear(value)).catch(fail);
});
process.on('disconnect', () => {
  worker?.loseMaster();
  void finish(worker?.drainMs ?? 0);
});
process.on('uncaughtException', fail).on('unhandledRejection', fail);

async function hear(value: unknown): Promise<void> {
  const message = parseKindAs(ToWorker, value, { what: 'a message of the master' });
  if (message.kind === 'init') {
    worker = await openWorker(message, { send });
    log = worker.log;
    process.title = `nearcast ${message.nodeId} worker ${message.worker + 1}`;
  } else if (message.kind === 'close') void finish(message.deadlineMs);
  else if (message.kind === 'start') {
    await worker?.start();
    letHeapGrow();
  } else await worker?.hear(message);
}

/** Sends, and tells when the channel has taken it; at once where there is none any more. */
function send(message: FromWorker): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) {
      resolve();
      return;
    }
    process.send(message, () => {
      resolve();
    });
  });
}

async function finish(deadlineMs: number): Promise<void> {
  if (ending) return;
  ending = true;
  try {
    await worker?.close(deadlineMs);
    process.exit(exitCodes.ok);
  } catch (error) {
    fail(error);
  }
}

function fail(error: unknown): void {
  const { code, message, detail } = toCoded(error);
  log?.fatal({ code, err: error }, 'a serving worker crashed');
  const said = send({ kind: 'failed', code, detail: (detail ?? message).slice(0, 2000) });
  void said.then(() => process.exit(exitCodes.internal));
}
