import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import t, { type Test } from 'tap';

import type { AnswerWatcher, AnswerWriter } from '../../../common/runtime/bare-reply.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import type { CodedError } from '../../../common/runtime/errors.ts';
import { forward, type ForwardSink } from '../../../control-plane/gateway/forward.ts';
import type { UpstreamTimes } from '../../../control-plane/gateway/upstream-connection.ts';
import { openGroup, type UpstreamGroup } from '../../../control-plane/gateway/upstream-group.ts';
import { ok, startService } from '../support/raw-service.ts';
import { until } from '../support/until.ts';

const clock = createSystemClock();
const times: UpstreamTimes = { connectMs: 60_000, beginMs: 60_000, idleMs: 60_000, keepMs: 60_000 };

function openLab(t: Test, ports: readonly number[], own: Partial<UpstreamTimes> = {}): UpstreamGroup {
  const origins = ports.map((port) => `http://127.0.0.1:${port}`);
  const group = openGroup({ prefix: '/v1/a', origins }, clock, { ...times, ...own });
  t.teardown(() => group.close());
  return group;
}

/** A client, and what it heard. */
class Client implements ForwardSink {
  isGone = false;
  hasBegun = false;
  wasCut = false;
  /** False: each part is too much for the moment. */
  takesAll = true;
  body = '';
  watcher: AnswerWatcher | undefined;
  readonly #over = Promise.withResolvers<string>();
  /** The code of what it was refused with; its body, where it was answered. */
  readonly heard = this.#over.promise;

  watch(watcher: AnswerWatcher | undefined): void {
    this.watcher = watcher;
  }

  begin(): void {
    this.hasBegun = true;
  }

  write(part: Buffer, writer: AnswerWriter): boolean {
    this.body += part.toString();
    if (this.takesAll) return true;
    setImmediate(() => {
      writer.drained();
    });
    return false;
  }

  end(): void {
    this.body += '.';
  }

  cut(): void {
    this.wasCut = true;
  }

  over(fault: CodedError | undefined): void {
    this.#over.resolve(fault?.code ?? this.body);
  }
}

interface Lab {
  readonly group: UpstreamGroup;
  failures: number;
}

function ask(
  lab: Lab,
  method = 'GET',
  { takesAll = true, rawFields = [] }: { takesAll?: boolean; rawFields?: string[] } = {},
): Client {
  const client = new Client();
  client.takesAll = takesAll;
  const asker = { address: '192.0.2.1', host: 'a', protocol: 'http', requestId: 'r' };
  const onFailure = (): void => {
    lab.failures++;
  };
  forward({ method, path: '/v1/a', rawFields, body: null, asker }, client, {
    ...{ group: lab.group, clock, onFailure },
    onRetry: () => undefined,
  });
  return client;
}

const idle = { inFlight: 0, upstreams: [{ inFlight: 0 }] };

t.test('a service that takes too long: TIMEOUT, once, and it counts as a failure', async (t) => {
  const { port, asked } = await startService(t, () => undefined);
  const lab = { group: openLab(t, [port], { beginMs: 1 }), failures: 0 };
  t.equal(await ask(lab).heard, 'TIMEOUT');
  t.match({ failures: lab.failures, asked: asked.length }, { failures: 1, asked: 1 });
  t.match(lab.group, idle);
});

t.test('an answer that stops is cut, and nothing more is said', async (t) => {
  const { port } = await startService(t, (socket) =>
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf'),
  );
  const lab = { group: openLab(t, [port], { idleMs: 1 }), failures: 0 };
  const client = ask(lab);
  t.equal(await client.heard, 'half');
  t.ok(client.wasCut);
  t.match(lab.group, idle);
});

t.test('no more requests to a service than it may have; who is beyond is refused at once', async (t) => {
  const { port, asked } = await startService(t, () => undefined);
  const lab = { group: openLab(t, [port]), failures: 0 };
  const clients = Array.from({ length: 512 }, () => ask(lab));
  t.equal(await ask(lab).heard, 'OVERLOADED');
  await until(
    () => asked.length,
    (count) => count === 64,
  );
  for (const { watcher } of clients) watcher?.left();
  t.same(new Set(await Promise.all(clients.map(({ heard }) => heard))), new Set(['']));
  t.match(lab.group, idle);
  t.equal(lab.failures, 0, 'that nobody waited tells nothing of the service');
});

t.test('who leaves while nobody is there to ask is forgotten', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  const lab = { group: openLab(t, [port]), failures: 0 };
  const client = ask(lab);
  await until(
    () => lab.failures,
    (count) => count > 0,
  );
  client.isGone = true;
  t.equal(await client.heard, '');
  t.match(lab.group, idle);
});

t.test('a gateway that ends leaves nobody without an end', async (t) => {
  const { port, asked } = await startService(t, () => undefined);
  const lab = { group: openLab(t, [port]), failures: 0 };
  const clients = Array.from({ length: 80 }, () => ask(lab, 'POST'));
  await until(
    () => asked.length,
    (count) => count === 64,
  );
  lab.group.close();
  const heard = await Promise.all(clients.map(({ heard }) => heard));
  t.same([...new Set(heard)].sort(), ['UNAVAILABLE', 'UPSTREAM_FAILED']);
  t.match(lab.group, idle);
});

t.test('an answer by another than was asked first flows, and ends with who waits for it', async (t) => {
  const size = 4 << 20;
  const large = `HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n${'x'.repeat(size)}`;
  const well = await startService(t, (socket, head) => {
    if (well.asked.length === 1) socket.write(ok('warm'));
    else if (head.startsWith('GET')) socket.write(large);
  });
  const troubled = await startService(t, (socket) =>
    socket.write('HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n'),
  );
  const lab = { group: openLab(t, [well.port, troubled.port]), failures: 0 };
  // Over a connection that is there already.
  while (well.asked.length === 0) t.equal(await ask(lab).heard, 'warm.');
  for (let turn = 0; turn < 4; turn++) {
    const client = ask(lab, 'GET', { takesAll: false });
    t.equal((await client.heard).length, size + 1);
  }
  const before = well.asked.length;
  const leaving = ask(lab, 'PUT');
  await until(
    () => well.asked.length,
    (count) => count > before,
  );
  const closed = once(well.asked.at(-1)!.socket, 'close');
  leaving.watcher?.left();
  await closed;
  t.match(lab.group, { inFlight: 0, upstreams: [{ inFlight: 0 }, { inFlight: 0 }] });
});

t.test('a change upon what is there is asked once: the first try may have been made', async (t) => {
  const { port, asked } = await startService(t, (socket) =>
    asked.length % 2 === 1 ? socket.destroy() : socket.write(ok('done')),
  );
  const lab = { group: openLab(t, [port]), failures: 0 };
  t.equal(await ask(lab, 'PUT').heard, 'done.', 'another is repeated');
  t.equal(asked.length, 2);
  t.equal(await ask(lab, 'PUT', { rawFields: ['If-Match', '"1"'] }).heard, 'UPSTREAM_FAILED');
  t.equal(asked.length, 3);
});

t.test('equals take turns, and who has less to do is asked first', async (t) => {
  const [one, other] = [
    await startService(t, (socket, head) => head.startsWith('GET') && socket.write(ok('one'))),
    await startService(t, (socket, head) => head.startsWith('GET') && socket.write(ok('other'))),
  ];
  const lab = { group: openLab(t, [one.port, other.port]), failures: 0 };
  const heard = [];
  for (let turn = 0; turn < 4; turn++) heard.push(await ask(lab).heard);
  t.same(heard.sort(), ['one.', 'one.', 'other.', 'other.']);
  ask(lab, 'POST');
  await until(
    () => [...one.asked, ...other.asked].filter(({ head }) => head.startsWith('POST')).length,
    (count) => count === 1,
  );
  const free = one.asked.some(({ head }) => head.startsWith('POST')) ? 'other.' : 'one.';
  for (let turn = 0; turn < 3; turn++) t.equal(await ask(lab).heard, free);
});
