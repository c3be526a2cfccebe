import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

import t, { type Test } from 'tap';

import { Type } from '../../../common/contract/type.ts';
import { createSystemChance } from '../../../common/runtime/chance.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import { createCallers } from '../../../control-plane/apart/callers.ts';
import { defineInterface, Nothing } from '../../../control-plane/apart/interface.ts';
import { temporaryDir } from '../support/control-plane.ts';

const Count = Type.Object({ count: Type.Integer() });
const counter = defineInterface({
  service: 'search',
  name: 'counter',
  verbs: {
    read: { ask: Nothing, answer: Count, isRepeatable: true },
    add: { ask: Nothing, answer: Count, isRepeatable: false },
  },
});

async function startCallers(t: Test, listener: RequestListener) {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const tokenFile = join(await temporaryDir(t), 'service.token');
  await writeFile(tokenFile, 'a-token', { mode: 0o600 });
  const [clock, chance] = [createSystemClock(), createSystemChance()];
  const urls = new Map([['search', `http://127.0.0.1:${port}`]] as const);
  const callers = createCallers({ urls, tokenFile, clock, chance });
  t.teardown(async () => {
    await callers.close();
    server.closeAllConnections();
    server.close();
  });
  return callers.of(counter);
}

t.test('what may be asked twice is asked again where a call broke, all else is not', async (t) => {
  const asked: string[] = [];
  const { read, add } = await startCallers(t, (request, response) => {
    const { url = '' } = request;
    asked.push(url.slice(url.lastIndexOf('/') + 1));
    t.equal(request.headers.authorization, 'Bearer a-token');
    if (asked.length % 2 === 1) response.destroy();
    else response.writeHead(200, { 'content-type': 'application/json' }).end('{"count":1}');
  });
  t.strictSame(await read?.({}), { count: 1 });
  await t.rejects(Promise.resolve(add?.({})), { code: 'UNAVAILABLE', retryAfterMs: 1000 });
  t.strictSame(asked, ['read', 'read', 'add']);
});

t.test('a service that says nothing is waited for five seconds', async (t) => {
  const { add } = await startCallers(t, () => undefined);
  await t.rejects(Promise.resolve(add?.({})), {
    code: 'UNAVAILABLE',
    detail: /search: .*no answer within 5000 ms/,
  });
});
