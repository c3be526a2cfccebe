import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer, getCACertificates, setDefaultCACertificates } from 'node:tls';
import t from 'tap';

import { makeCertificate } from '../../support/certificates.ts';
import { ask, Asking, ok, openPool, startService } from '../support/raw-service.ts';
import { until } from '../support/until.ts';

t.test('a connection is used again where its answer was whole', async (t) => {
  const answers = [
    ok('one'),
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\nX-Sum: 1\r\n\r\n',
    'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n',
    'HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n',
    ok('five'),
  ];
  const lab = await startService(t, (socket) => socket.write(answers[lab.asked.length - 1] ?? '', 'latin1'));
  const pool = openPool(t, lab.port);
  t.match(await ask(pool), { end: 'answered', status: 200, body: 'one', fields: ['content-length', '3'] });
  t.match(await ask(pool), { end: 'answered', status: 200, body: 'two', fields: [] });
  t.match(await ask(pool), { end: 'answered', status: 404, body: '' });
  t.match(await ask(pool), { end: 'answered', status: 304, body: '' });
  t.match(await ask(pool, { method: 'POST', body: Buffer.from([0, 255]) }), {
    end: 'answered',
    body: 'five',
  });
  t.equal(lab.asked.at(-1)?.body, '\x00\xff');
  t.equal(lab.sockets.length, 1);
});

t.test('and is not where another answer could be taken for the next', async (t) => {
  for (const [what, answer] of Object.entries({
    'more than the answer': `${ok('one')}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`,
    'more than none': `HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`,
    'more than chunks': `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nevil`,
    'it closes': ok('one', 'Connection: close\r\n'),
    'it would close soon': ok('one', 'Keep-Alive: timeout=1\r\n'),
    'an older version': `HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\none`,
  })) {
    const lab = await startService(t, (socket) => socket.write(lab.asked.length === 1 ? answer : ok('two')));
    const pool = openPool(t, lab.port);
    t.match(await ask(pool), { end: 'answered' }, what);
    t.match(await ask(pool), { end: 'answered', body: 'two' }, what);
    t.equal(lab.sockets.length, 2, what);
  }
  const lab = await startService(t, (socket) => socket.write(ok('one')));
  // Longer than a test lasts: nothing else ends it.
  const pool = openPool(t, lab.port, { keepMs: 3_600_000 });
  await ask(pool);
  lab.sockets[0]?.write(ok('unasked'));
  await once(lab.sockets[0]!, 'close');
  t.match(await ask(pool), { end: 'answered', body: 'one' });
  t.equal(lab.sockets.length, 2, 'what comes unasked ends the connection');
});

t.test(
  'nor where it came before all that was asked had left: the rest would stand before the next',
  async (t) => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket);
      socket
        .on('error', () => undefined)
        .once('data', () => {
          socket.pause();
          socket.write(ok(`answer ${sockets.length}`));
        });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    const pool = openPool(t, (server.address() as AddressInfo).port, { connectionsMax: 1 });
    const early = await ask(pool, { method: 'POST', body: Buffer.alloc(32 << 20) });
    t.match(early, { end: 'answered', body: 'answer 1' });
    t.match(await ask(pool), { end: 'answered', body: 'answer 2' });
  },
);

t.test('a service that never comes to an answer is not listened to for ever', async (t) => {
  const interim = 'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n';
  for (const [count, end] of [
    [16, 'answered'],
    [17, 'failed'],
  ] as const) {
    const lab = await startService(t, (socket) => socket.write(interim.repeat(count) + ok('one')));
    const pool = openPool(t, lab.port);
    t.match(await ask(pool), { end }, `${count}`);
    // They are counted anew for each.
    t.match(await ask(pool), { end }, `${count} again`);
  }
});

t.test('nor after a 204 that says that it has a body', async (t) => {
  for (const field of ['Content-Length: 38', 'Transfer-Encoding: chunked']) {
    const answer = `HTTP/1.1 204 No Content\r\n${field}\r\n\r\n`;
    const lab = await startService(t, (socket) => socket.write(lab.asked.length === 1 ? answer : ok('two')));
    const pool = openPool(t, lab.port, { connectionsMax: 1 });
    const [empty, next] = [new Asking(), new Asking()];
    pool.ask(empty);
    pool.ask(next);
    t.match(await empty.heard, { end: 'answered', status: 204, body: '' });
    t.match(await next.heard, { end: 'answered', body: 'two' });
    t.equal(lab.sockets.length, 2, field);
  }
});

t.test('nor after a HEAD: what comes with its answer would be taken for the next', async (t) => {
  const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n';
  const lab = await startService(t, (socket) => socket.write(lab.asked.length === 1 ? answer : ok('two')));
  const pool = openPool(t, lab.port, { connectionsMax: 1 });
  const [head, next] = [new Asking({ method: 'HEAD' }), new Asking()];
  pool.ask(head);
  pool.ask(next);
  t.match(await head.heard, { end: 'answered', fields: ['content-length', '40'], body: '' });
  t.match(await next.heard, { end: 'answered', body: 'two' });
  t.equal(lab.sockets.length, 2);
});

t.test('nor where the service has reset it, though it has not closed yet', async (t) => {
  const lab = await startService(t, (socket) => socket.write(ok('one')));
  const pool = openPool(t, lab.port);
  const made = Promise.withResolvers<Socket>();
  const note = (message: unknown): void => {
    made.resolve((message as { socket: Socket }).socket);
  };
  subscribe('net.client.socket', note);
  await ask(pool);
  unsubscribe('net.client.socket', note);
  const socket = await made.promise;
  const again = new Asking({ method: 'POST', body: Buffer.from('once') });
  socket.once('error', () => {
    pool.ask(again);
  });
  lab.sockets[0]?.resetAndDestroy();
  t.match(await again.heard, { end: 'answered', body: 'one' });
  t.equal(lab.sockets.length, 2);
});

t.test('nobody waits for a connection without end, and who has waited too long was not sent', async (t) => {
  const lab = await startService(t, () => undefined);
  const pool = openPool(t, lab.port, { connectionsMax: 1, beginMs: 1 });
  const askings = Array.from({ length: 3 }, () => new Asking());
  for (const asking of askings) pool.ask(asking);
  const ends = await Promise.all(askings.map(async (asking) => (await asking.heard).end));
  t.same(ends.slice(1), ['unsent', 'unsent']);
  t.ok(lab.asked.length <= 1);
});

t.test('what is no answer fails', async (t) => {
  for (const [what, answer] of Object.entries({
    'no HTTP': 'SSH-2.0-OpenSSH\r\n\r\n',
    'two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
    'a length and chunks':
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'no chunks': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxx\r\n',
    'another protocol': 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: a\r\n\r\n',
    'hints without end': 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(20),
    'a head without end': `HTTP/1.1 200 OK\r\n${`a: ${'b'.repeat(1000)}\r\n`.repeat(20)}`,
    'a head that is too long': `HTTP/1.1 200 OK\r\n${`a: ${'b'.repeat(1000)}\r\n`.repeat(20)}\r\n`,
    nothing: '',
    'half a head': 'HTTP/1.1 200 OK\r\nA: b\r\n',
    'half a body': 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf',
    'half of its chunks': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n',
  })) {
    const lab = await startService(t, (socket) => socket.end(answer));
    t.match(await ask(openPool(t, lab.port)), { end: 'failed' }, what);
  }
});

t.test('an answer without a length ends with its connection', async (t) => {
  const lab = await startService(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\n\r\nso far');
    setImmediate(() => socket.end(' so good'));
  });
  t.match(await ask(openPool(t, lab.port)), { end: 'answered', body: 'so far so good' });
  const cut = await startService(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\n\r\nso far', () => socket.resetAndDestroy());
  });
  t.match(await ask(openPool(t, cut.port)), { end: 'failed' });
});

t.test(
  'no more connections than may be; who waits has the next that is free, or a new one for one that is gone',
  async (t) => {
    const lab = await startService(t, () => undefined);
    const pool = openPool(t, lab.port, { connectionsMax: 2 });
    const askings = Array.from({ length: 5 }, () => new Asking());
    for (const asking of askings) pool.ask(asking);
    await until(
      () => lab.asked.length,
      (count) => count === 2,
    );
    pool.abandon(askings[2]!);
    lab.asked[0]?.socket.write(ok('one'));
    await until(
      () => lab.asked.length,
      (count) => count === 3,
    );
    t.equal(lab.asked[2]?.head, askings[3]?.head, 'the one before it has left');
    lab.asked[1]?.socket.destroy();
    await until(
      () => lab.asked.length,
      (count) => count === 4,
    );
    for (const { socket } of lab.asked.slice(2)) socket.write(ok('more'));
    const ends = await Promise.all([0, 1, 3, 4].map(async (at) => (await askings[at]!.heard).end));
    t.same(ends.toSorted(), ['answered', 'answered', 'answered', 'failed']);
    t.equal(lab.sockets.length, 3);
  },
);

t.test('nobody there; too late; and what is not wanted', async (t) => {
  const lab = await startService(t, () => undefined);
  const gone = createServer().listen(0, '127.0.0.1');
  await once(gone, 'listening');
  const { port } = gone.address() as AddressInfo;
  gone.close();
  await once(gone, 'close');
  t.match(await ask(openPool(t, port)), { end: 'unsent' });
  t.match(await ask(openPool(t, lab.port, { beginMs: 1 })), { end: 'late' });
  const slow = await startService(t, (socket) =>
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nslow'),
  );
  t.match(await ask(openPool(t, slow.port, { idleMs: 1 })), { end: 'late', body: 'slow' });
  t.match(await ask(openPool(t, slow.port), { wants: () => false }), {
    end: 'unwanted',
    status: 200,
    body: '',
  });
  const kept = await startService(t, (socket) => socket.write(ok('one')));
  await ask(openPool(t, kept.port, { keepMs: 1 }));
  await once(kept.sockets[0]!, 'close');
  const closed = openPool(t, lab.port);
  closed.close();
  t.match(await ask(closed), { end: 'unsent' });
});

t.test('a service is read no faster than its answer is taken', async (t) => {
  const size = 64 << 20;
  const lab = await startService(t, (socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
    socket.write(Buffer.alloc(size, 'x'));
  });
  const held = [openPool(t, lab.port), openPool(t, lab.port, { idleMs: 1 })].map((pool) => {
    const asking = new Asking();
    asking.takes = false;
    pool.ask(asking);
    return { pool, asking };
  });
  await until(
    () => held.every(({ asking }) => asking.bytes > 0),
    (have) => have,
  );
  const silent = await startService(t, () => undefined);
  t.match(await ask(openPool(t, silent.port, { beginMs: 1 })), { end: 'late' }, 'time passes');
  for (const { asking } of held) t.ok(asking.bytes < size / 2, 'who waits for the client is not late');
  const [patient, other] = held;
  other?.pool.abandon(other.asking);
  patient!.asking.takes = true;
  patient!.asking.connection?.resume(patient!.asking);
  const { end, body } = await patient!.asking.heard;
  t.same([end, body.length], ['answered', size]);
});

t.test('a service by TLS is known by its certificate', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'upstream-pool-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const { cert, key } = await makeCertificate(directory, { file: 'a', hosts: ['127.0.0.1'] });
  const lab = await startService(t, (socket) => socket.write(ok('sealed')), createTlsServer({ cert, key }));
  t.match(await ask(openPool(t, lab.port, { scheme: 'https' })), { end: 'unsent' }, 'not known');
  const known = getCACertificates('default');
  setDefaultCACertificates([...known, cert]);
  t.teardown(() => setDefaultCACertificates(known));
  const pool = openPool(t, lab.port, { scheme: 'https' });
  t.match(await ask(pool), { end: 'answered', body: 'sealed' });
  t.match(await ask(pool), { end: 'answered', body: 'sealed' });
  t.equal(lab.sockets.length, 1);
});
