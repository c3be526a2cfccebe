// The process of one disk: started by the master (disk-process.ts), which it does not outlive.
import { keepHeapSmall } from '../../common/runtime/heap.ts';
import { exitCodes } from '../../common/runtime/exit-codes.ts';
import { assert, toCoded } from '../../common/runtime/errors.ts';
import { createSilentLog } from '../../common/runtime/log.ts';
import { parseKindAs } from '../../common/runtime/parse.ts';
import { loadAddon } from '../engine/native-loader.ts';
import { receiveChunks, sharedBytes } from './chunk-pipe.ts';
import { ToDisk, type FromDisk } from './disk-messages.ts';
import { DiskService } from './disk-service.ts';

const pipeFd = 4;
const sharedFd = 5;
/** Memory for chunks on their way to the disk. */
const chunksMax = 8;

keepHeapSmall();
// The master decides when it ends; Ctrl-C in a terminal reaches both.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => undefined);
// Without its master nobody reads what it logs.
process.stdout.on('error', () => undefined);
process.stderr.on('error', () => undefined);

let service: DiskService | undefined;
let shared: Buffer | undefined;

process.on('message', (value) => {
  try {
    hear(value);
  } catch (error) {
    crash(error);
  }
});
// At once, and whatever its threads wait for: the next master's process for this disk waits for the lock.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
process.on('uncaughtException', crash).on('unhandledRejection', crash);

receiveChunks(pipeFd, {
  chunksMax,
  shared: () => (shared ??= mapShared()),
  take: async ({ id, file, index }, chunk) => {
    await answer(id, () => service?.put(file, index, chunk));
  },
});

/** The master has it too, and sends no place in it unless it could make it. */
function mapShared(): Buffer {
  const addon = loadAddon(createSilentLog());
  assert(addon !== undefined, 'the master has the addon');
  return addon.mapShared({ fd: sharedFd, bytes: sharedBytes });
}

function hear(value: unknown): void {
  const message = parseKindAs(ToDisk, value, { what: 'a message of the master' });
  switch (message.kind) {
    case 'init':
      process.title = `nearcast ${message.nodeId} disk ${message.path}`;
      service = new DiskService(message, send);
      return;
    case 'ask':
      void answer(message.id, () => service?.answer(message.id, message.question));
      return;
    case 'close':
      void close();
      return;
  }
}

async function answer(id: number, work: () => Promise<unknown> | undefined): Promise<void> {
  try {
    send({ kind: 'answer', id, answer: await work() });
  } catch (error) {
    const { code, detail, message } = toCoded(error);
    send({ kind: 'failed', id, code, detail: (detail ?? message).slice(0, 2000) });
    // Its index: the next process makes it anew.
    if (code === 'STORE_CORRUPT' && service?.isOpen === true) crash(error);
  }
}

async function close(): Promise<void> {
  await service?.close();
  process.exit(exitCodes.ok);
}

function send(message: FromDisk): void {
  if (process.connected) process.send?.(message);
}

function crash(error: unknown): void {
  const { code, message, detail } = toCoded(error);
  service?.log.fatal({ code, err: error }, 'the process of a disk crashed');
  const said: FromDisk = { kind: 'crashed', code, detail: (detail ?? message).slice(0, 2000) };
  if (process.connected) process.send?.(said, () => process.exit(exitCodes.internal));
  else process.exit(exitCodes.internal);
}
