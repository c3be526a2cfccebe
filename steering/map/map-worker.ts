import { parentPort, workerData } from 'node:worker_threads';
import { toCoded } from '../../common/runtime/errors.ts';
import { createMapCompiler } from './map-compiler.ts';
import type { ThreadReply, ThreadRequest, ThreadStart } from './map-thread.ts';
import { openTableStore } from './table-store.ts';

// The thread in which maps are verified and compiled, so that answers never wait for one.
const { folder, bytesMax } = workerData as ThreadStart;
const port = parentPort;
if (port === null) throw new TypeError('this is the main module of a worker thread');
const compiler = createMapCompiler(await openTableStore(folder, bytesMax));

async function answer(request: ThreadRequest): Promise<unknown> {
  switch (request.kind) {
    case 'open':
      return compiler.open(request.map);
    case 'take':
      return compiler.take(request.name, request.packed);
    case 'compile':
      return compiler.compile();
  }
}

port.on('message', (request: ThreadRequest) => {
  void answer(request).then(
    (value) => {
      port.postMessage({ id: request.id, ok: true, value } satisfies ThreadReply);
    },
    (error: unknown) => {
      const { code, detail } = toCoded(error);
      port.postMessage({ id: request.id, ok: false, code, detail } satisfies ThreadReply);
    },
  );
});
