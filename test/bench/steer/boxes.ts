// `boxes.ts`: something that answers steering's probes as any box under a path of its name; says on which port. In
// a process of its own, which ends with its standard input.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { probeObject } from '../../../common/core/probe-object.ts';

const objects = new Map<string, Buffer>();
const server = createServer(({ url = '' }, response) => {
  const id = url.split('/')[1] ?? '';
  const object = objects.get(id) ?? Buffer.from(probeObject(id, 'ready'));
  objects.set(id, object);
  response.end(object);
}).listen(0, '127.0.0.1');
await once(server, 'listening');
process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
process.stdin.resume().once('end', () => process.exit());
