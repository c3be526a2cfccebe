import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import t, { type Test } from 'tap';
import { probeObject } from '../../../common/core/probe-object.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import type { Observation } from '../../../steering/core/health.ts';
import { openHttpProbe, type Aim } from '../../../steering/monitor/http-probe.ts';
import { makeCertificate } from '../../support/certificates.ts';
import { hasIpv6Loopback } from '../../support/system-ipv6.ts';

const clock = createSystemClock();

async function box(
  t: Test,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  host = '127.0.0.1',
): Promise<number> {
  const server = createServer(answer).listen(0, host);
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** Asks once; in no hurry, unless it is told: a busy machine makes nobody late. */
async function ask(t: Test, aim: Partial<Aim> & { url: string }, timeoutMs = 60_000): Promise<Observation> {
  const whole = { id: 'isp-a-1', family: 4, address: undefined, ...aim } as const;
  const probe = openHttpProbe(whole, { clock, timeoutMs });
  t.teardown(() => {
    probe.close();
  });
  return probe.ask();
}

t.test('only the box’s own object, whole and in time, is an answer', async (t) => {
  const answers = async (body: string | undefined, status = 200): Promise<Observation> => {
    const port = await box(t, (_request, response) => {
      if (body !== undefined) response.writeHead(status).end(body);
    });
    return ask(t, { url: `http://127.0.0.1:${port}` }, body === undefined ? 300 : undefined);
  };
  const object = probeObject('isp-a-1', 'ready');
  t.match(await answers(object), { kind: 'ok', draining: false });
  t.match(await answers(probeObject('isp-a-1', 'draining')), { kind: 'ok', draining: true });
  t.match(await answers(probeObject('isp-a-2', 'ready')), { kind: 'failed', reason: /is not isp-a-1/ });
  const portal = '<html><title>Sign in to the network</title></html>';
  t.match(await answers(portal), { kind: 'failed', reason: /is not isp-a-1/ });
  t.match(await answers(object.slice(0, -1)), { kind: 'failed', reason: /is not isp-a-1/ }, 'cut by a byte');
  const flipped = `${object.slice(0, 4000)}${object[4000] === '0' ? '1' : '0'}${object.slice(4001)}`;
  t.match(await answers(flipped), { kind: 'failed', reason: /is not isp-a-1/ }, 'one wrong byte');
  t.match(await answers(object, 503), { kind: 'failed', reason: /answers 503/ });
  t.match(await answers(object, 302), { kind: 'failed', reason: /answers 302/ });
  t.match(await answers('x'.repeat(100_000)), { kind: 'failed' }, 'a body without end');
  t.match(await answers(undefined), { kind: 'failed', reason: /no answer within 300 ms/ });
});

t.test('it goes to the address, with the name of the URL', async (t) => {
  const hosts: (string | undefined)[] = [];
  const port = await box(t, (request, response) => {
    hosts.push(`${request.headers.host ?? ''}${request.url ?? ''}`);
    response.end(probeObject('isp-a-1', 'ready'));
  });
  const url = `http://box.example:${port}/behind/`;
  t.match(await ask(t, { url, address: '127.0.0.1' }), { kind: 'ok' });
  t.strictSame(hosts, [`box.example:${port}/behind/probe`]);
  t.match(await ask(t, { url: `http://box.invalid:${port}` }), {
    kind: 'failed',
    reason: /ENOTFOUND|EAI_AGAIN/,
  });
});

t.test('nobody there is a failure; the connection is kept while there is', async (t) => {
  const sockets = new Set<unknown>();
  const port = await box(t, (request, response) => {
    sockets.add(request.socket);
    response.end(probeObject('isp-a-1', 'ready'));
  });
  const aim = { id: 'isp-a-1', family: 4, address: undefined, url: `http://127.0.0.1:${port}` } as const;
  const probe = openHttpProbe(aim, { clock, timeoutMs: 60_000 });
  t.teardown(() => {
    probe.close();
  });
  for (let turn = 0; turn < 3; turn++) t.match(await probe.ask(), { kind: 'ok' });
  t.equal(sockets.size, 1);
  const gone = createServer().listen(0, '127.0.0.1');
  await once(gone, 'listening');
  const { port: free } = gone.address() as AddressInfo;
  gone.close();
  await once(gone, 'close');
  t.match(await ask(t, { url: `http://127.0.0.1:${free}` }), { kind: 'failed', reason: /ECONNREFUSED/ });
});

t.test('IPv6 is another way than IPv4', { skip: hasIpv6Loopback() ? false : 'no IPv6 here' }, async (t) => {
  const object = probeObject('isp-a-1', 'ready');
  const port = await box(t, (_request, response) => response.end(object), '::1');
  const six = { family: 6, address: '::1' } as const;
  t.match(await ask(t, { url: `http://box.example:${port}`, ...six }), { kind: 'ok' });
  t.match(await ask(t, { url: `http://localhost:${port}`, family: 4 }), { kind: 'failed' });
  t.match(await ask(t, { url: `http://[::1]:${port}`, ...six }), { kind: 'ok' });
});

t.test('answers in chunks, in pieces, without a length and in the middle of nothing', async (t) => {
  const object = probeObject('isp-a-1', 'ready');
  const raw = async (pieces: readonly string[], ends = false): Promise<Observation> => {
    const server = createTcpServer((socket) => {
      socket.on('error', () => undefined).once('data', () => void answer(socket));
    }).listen(0, '127.0.0.1');
    const answer = async (socket: Socket): Promise<void> => {
      for (const piece of pieces) {
        socket.write(piece);
        await setImmediate();
      }
      if (ends) socket.end();
    };
    await once(server, 'listening');
    t.teardown(() => server.close());
    return ask(t, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  };
  const head = `HTTP/1.1 200 OK\r\nContent-Length: ${object.length}\r\n\r\n`;
  t.match(await raw([head.slice(0, 9), head.slice(9), object.slice(0, 99), object.slice(99)]), {
    kind: 'ok',
  });
  t.match(await raw(['HTTP/1.0 200 OK\r\n\r\n', object], true), { kind: 'ok' });
  t.match(await raw([head, object.slice(1)], true), { kind: 'failed', reason: /no whole answer/ });
  t.match(await raw([], true), { kind: 'failed', reason: /no whole answer/ });
  t.match(await raw(['220 mail.example ESMTP\r\n\r\n']), { kind: 'failed', reason: /no whole answer/ });
});

t.test(
  'a connection that the box has closed meanwhile is opened anew; nothing is asked after the end',
  async (t) => {
    const sockets: IncomingMessage['socket'][] = [];
    const port = await box(t, (request, response) => {
      sockets.push(request.socket);
      response.end(probeObject('isp-a-1', 'ready'));
    });
    const aim = { id: 'isp-a-1', family: 4, address: undefined, url: `http://127.0.0.1:${port}` } as const;
    const probe = openHttpProbe(aim, { clock, timeoutMs: 60_000 });
    t.match(await probe.ask(), { kind: 'ok' });
    const [first] = sockets;
    first?.destroy();
    t.match(await probe.ask(), { kind: 'ok' }, 'that it was closed is no failure');
    t.equal(sockets.length, 2);
    probe.close();
    t.match(await probe.ask(), { kind: 'failed' });
    t.equal(sockets.length, 2);
  },
);

t.test('a kept connection that ends instead of an answer is asked for anew once', async (t) => {
  const object = probeObject('isp-a-1', 'ready');
  const answer = `HTTP/1.1 200 OK\r\nContent-Length: ${object.length}\r\n\r\n${object}`;
  // What each connection does with the first request that comes over it, and the second.
  const plans: ((socket: Socket) => void)[][] = [
    [(socket) => socket.write(answer), (socket) => socket.end()],
    [(socket) => socket.write(answer), (socket) => socket.resetAndDestroy()],
    [(socket) => socket.write(answer), (socket) => socket.end(answer.slice(0, 99))],
    [(socket) => socket.end()],
  ];
  let connections = 0;
  const server = createTcpServer((socket) => {
    const plan = plans[connections++] ?? [];
    let asked = 0;
    socket.on('error', () => undefined).on('data', () => plan[asked++]?.(socket));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const probe = openHttpProbe(
    { id: 'isp-a-1', family: 4, address: undefined, url },
    { clock, timeoutMs: 60_000 },
  );
  t.teardown(() => {
    probe.close();
  });
  t.match(await probe.ask(), { kind: 'ok' });
  t.match(await probe.ask(), { kind: 'ok' }, 'it was closed');
  t.match(await probe.ask(), { kind: 'ok' }, 'it was reset');
  t.equal(connections, 3);
  t.match(await probe.ask(), { kind: 'failed' }, 'half an answer is one that failed');
  t.equal(connections, 3);
  t.match(await probe.ask(), { kind: 'failed' }, 'and so is a new connection that ends');
  t.equal(connections, 4);
});

t.test('over TLS: by the name of the URL, and only with a certificate for it', async (t) => {
  const { key, cert } = await makeCertificate(t.testdir({}), { file: 'box', hosts: ['box.example'] });
  const server = createTlsServer({ key, cert }, (_request, response) => {
    response.end(probeObject('isp-a-1', 'ready'));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const aimAt = (name: string) => ({ url: `https://${name}:${port}`, address: '127.0.0.1' });
  t.match(await ask(t, aimAt('box.example')), { kind: 'failed', reason: /SELF_SIGNED/ });
  const before = getCACertificates('default');
  t.teardown(() => {
    setDefaultCACertificates(before);
  });
  setDefaultCACertificates([...before, cert]);
  t.match(await ask(t, aimAt('box.example')), { kind: 'ok' });
  t.match(await ask(t, aimAt('other.example')), { kind: 'failed', reason: /ALTNAME/ });
});
