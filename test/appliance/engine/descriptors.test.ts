import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t from 'tap';

import { rawGet, until } from '../../support/appliance/raw-http.ts';
import { engineKinds } from '../../support/appliance/serving-box.ts';

const script = join(import.meta.dirname, '../../support/appliance/few-descriptors.ts');
const descriptorsMax = 100;
const clients = 250;

/** A process that has run out of descriptors opens nothing; asking it may also end in a reset. */
async function statusOf(port: number, path: string): Promise<number> {
  try {
    return (await rawGet(port, path)).status;
  } catch {
    return 0;
  }
}

for (const kind of engineKinds) {
  void t.test(`${kind}: out of descriptors, and back`, async (t) => {
    const limited = `ulimit -n ${descriptorsMax}; exec "$0" "$@"`;
    const box = spawn('sh', ['-c', limited, process.execPath, script, kind], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    t.teardown(() => box.kill('SIGKILL'));
    const lines = createInterface(box.stdout)[Symbol.asyncIterator]();
    const read = async (): Promise<unknown> => JSON.parse(String((await lines.next()).value));
    const { port, path } = (await read()) as { port: number; path: string };
    t.equal(await statusOf(port, path), 200);
    const ended = new Set<Socket>();
    const sockets = Array.from({ length: clients }, () => {
      const socket = connect(port, '127.0.0.1');
      return socket.on('error', () => undefined).on('close', () => ended.add(socket));
    });
    // More than it can have are told at once, and do not wait for nothing.
    if (kind === 'native') await until(() => ended.size >= clients - descriptorsMax);
    for (const socket of sockets) socket.destroy();
    await until(async () => (await statusOf(port, path)) === 200);
    box.stdin.end();
    const { refused } = (await read()) as { refused: number };
    if (kind === 'native') t.ok(refused > 0, `${refused} could not be accepted`);
    const [code] = (await once(box, 'exit')) as [number];
    t.equal(code, 0);
  });
}
