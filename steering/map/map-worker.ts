import { parentPort, workerData } from 'node:worker_threads';
import { toCoded } from '../../common/runtime/errors.ts';
import { createMapCompiler, type SignedMap } from './map-compiler.ts';
import type { WorkerReply, WorkerRequest } from './map-loader.ts';
import { openTableStore } from './table-store.ts';

// The thread in which maps are verified and compiled, so that answers never wait for one.
const { folder, bytesMax } = workerData as { folder: string; bytesMax: number };
const port = parentPort;
if (port === null) throw new TypeError('this is the main module of a worker thread');
const compiler = createMapCompiler(await openTableStore(folder, bytesMax));

async function answer(request: WorkerRequest): Promise<unknown> {
  switch (request.kind) {
    case 'open':
      return compiler.open(request.map as SignedMap);
    case 'take':
      return compiler.take(request.name, request.packed);
    case 'compile':
      return compiler.compile();
  }
}

port.on('message', (request: WorkerRequest) => {
  void answer(request).then(
    (value) => {
      port.postMessage({ id: request.id, ok: true, value } satisfies WorkerReply);
    },
    (error: unknown) => {
      const { code, detail } = toCoded(error);
      port.postMessage({ id: request.id, ok: false, code, detail } satisfies WorkerReply);
    },
  );
});
