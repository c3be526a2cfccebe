import { constants, setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { toCoded } from '../../common/runtime/errors.ts';
import type { ViewAppliance } from '../core/view.ts';
import { findAddon } from '../native-addon.ts';
import { createMapCompiler, type CompiledParts } from './map-compiler.ts';
import type { CompiledInThread, ThreadReply, ThreadRequest, ThreadStart } from './map-thread.ts';
import { createRouteImageFile } from './route-image-file.ts';
import { openTableStore } from './table-store.ts';

// The thread in which maps are verified and compiled, so that answers never wait for one.
const { folder, bytesMax, image } = workerData as ThreadStart;
const port = parentPort;
if (port === null) throw new TypeError('this is the main module of a worker thread');
// Of this thread alone, on Linux: who answers on the same core does not wait for a compilation.
setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
const addon = findAddon();
const images = createRouteImageFile(image, (memory) => {
  addon?.preferLargePages(memory);
});
const compiler = createMapCompiler(await openTableStore(folder, bytesMax), { images });

/** Of what was compiled last, in either way. They are asked for piece by piece. */
const compiled = new Map<'compile' | 'compileEarly', readonly ViewAppliance[]>();

function withoutAppliances(
  kind: 'compile' | 'compileEarly',
  { appliances, ...parts }: CompiledParts,
): CompiledInThread {
  compiled.set(kind, appliances);
  return { ...parts, count: appliances.length };
}

async function answer(request: ThreadRequest): Promise<unknown> {
  switch (request.kind) {
    case 'open':
      return compiler.open(request.map);
    case 'take':
      return compiler.take(request.name, request.packed);
    case 'compileEarly': {
      const parts = await compiler.compileEarly();
      return parts && withoutAppliances('compileEarly', parts);
    }
    case 'compile':
      return withoutAppliances('compile', await compiler.compile());
    case 'write':
      return compiler.write();
    case 'appliances':
      return compiled.get(request.of)?.slice(request.from, request.to) ?? [];
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
