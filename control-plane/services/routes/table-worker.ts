import { constants, setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { assert, toCoded } from '../../../common/runtime/errors.ts';
import type { TableCall, TableReply } from './table-thread.ts';
import { createTableWork } from './table-work.ts';

// The thread in which tables of routes are looked at: a flood of two million prefixes holds up no one else.
assert(parentPort !== null, 'this is a worker');
const port = parentPort;
// Of this thread alone, on Linux: who answers on the same core does not wait for it.
setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
const work = createTableWork(workerData as string);

async function answer({ name, given }: TableCall): Promise<unknown> {
  const call = work[name] as (...given: readonly unknown[]) => Promise<unknown>;
  return call(...given);
}

port.on('message', (call: TableCall) => {
  void answer(call).then(
    (value) => {
      port.postMessage({ id: call.id, ok: true, value } satisfies TableReply);
    },
    (error: unknown) => {
      const { code, detail } = toCoded(error);
      port.postMessage({ id: call.id, ok: false, code, detail } satisfies TableReply);
    },
  );
});
