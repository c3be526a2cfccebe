import { once } from 'node:events';
import { connect } from 'node:net';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import type { OpenFront } from '../../../common/runtime/fronted-server.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import { createNativeFront } from '../../../steering/http/native-front.ts';
import { loadNativeAddon } from '../../../steering/native-addon.ts';
import { dial, get, startLeanServer, testLeanFront } from '../../support/lean-front-cases.ts';

const addon = loadNativeAddon(createSilentLog());
if (addon === undefined) throw new Error('the addon is not built: run ./dev');
const openFront: OpenFront = (options) => createNativeFront(addon, options);

testLeanFront(openFront);

/** All that comes for some bytes, behind which the other side is told that there is no more; without what differs by nature. */
async function answersTo(port: number, bytes: Buffer): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.end(bytes);
  const parts: Buffer[] = [];
  socket.on('data', (part: Buffer) => parts.push(part));
  // What was refused before it was read whole is reset.
  await once(socket, 'close').catch(() => undefined);
  return Buffer.concat(parts)
    .toString('latin1')
    .replaceAll(/^(?:date|x-request-id|ratelimit[^:]*): .*\r\n/gim, '')
    .replaceAll(/"(?:instance|requestId)":"[^"]*"/g, '');
}

async function startBoth(t: Test): Promise<{ bySockets: number; native: number }> {
  const { port: bySockets } = await startLeanServer(t);
  const { port: native } = await startLeanServer(t, openFront);
  return { bySockets, native };
}

const pieceArb = fc.constantFrom(
  ...['GET /lean/1 HTTP/1.1\r\nHost: a.test\r\n\r\n', 'GET /healthz HTTP/1.1\r\nHost: a.test\r\n\r\n'],
  ...['POST /lean/2 HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\n{}', 'GET /lean/3 HTTP/1.0\r\n\r\n'],
  ...[
    'GET /lean/4 HTTP/1.1\r\nHost: a b\r\n\r\n',
    'GET /lean/5 HTTP/1.1\r\n\r\n',
    'HEAD /lean/6 HTTP/1.1\r\n',
  ],
  ...['Host: a.test\r\n\r\n', '\r\n', '\0', 'GET ', `X: ${'x'.repeat(9000)}\r\n`, 'Connection: close\r\n'],
);

t.test('whatever comes has the answers that Node’s sockets bring', async (t) => {
  const { bySockets, native } = await startBoth(t);
  await fc.assert(
    fc.asyncProperty(fc.array(pieceArb, { minLength: 1, maxLength: 4 }), async (pieces) => {
      const bytes = Buffer.from(pieces.join(''), 'latin1');
      const [want, found] = await Promise.all([answersTo(bySockets, bytes), answersTo(native, bytes)]);
      t.equal(found, want, JSON.stringify(pieces));
    }),
    { numRuns: 100 },
  );
});

t.test('many connections at once, each has its own answers', async (t) => {
  const { port } = await startLeanServer(t, openFront);
  const all = await Promise.all(Array.from({ length: 100 }, () => dial(t, port)));
  for (let turn = 1; turn <= 3; turn++) {
    for (const [at, { socket }] of all.entries()) socket.write(get(`/lean/${at}-${turn}`));
    for (const [at, { answers }] of all.entries())
      t.match((await answers(turn))[turn - 1], `/lean/${at}-${turn} a.test`);
  }
});

t.test('connections that the server was handed are bound as those that it accepts', async (t) => {
  const { port } = await startLeanServer(t, openFront, { connectionsMax: 2 });
  const open = async () => {
    const { socket } = await dial(t, port);
    const isServed = Promise.race([
      once(socket, 'data').then(() => true),
      once(socket, 'close').then(() => false),
    ]);
    socket.write('HEAD /healthz HTTP/1.1\r\nHost: a.test\r\n\r\n');
    return { socket, isServed };
  };
  const [first, second] = [await open(), await open()];
  t.ok((await first.isServed) && (await second.isServed));
  t.notOk(await (await open()).isServed);
  first.socket.destroy();
  // The server hears of that in its own time.
  while (!(await (await open()).isServed));
  const { socket, answers } = await dial(t, port);
  socket.write(get('/lean/1'));
  t.match((await answers(1))[0], '/lean/1 a.test', 'plain requests are answered all the same');
});

t.test('where there are too many connections, who has been silent for the longest goes', async (t) => {
  const connectionsMax = 20;
  const { port } = await startLeanServer(t, (options) => createNativeFront(addon, options, connectionsMax));
  const open = async (name: string) => {
    const dialled = await dial(t, port);
    let isOpen = true;
    dialled.socket.on('close', () => (isOpen = false));
    dialled.socket.write(get(`/lean/${name}`));
    t.match((await dialled.answers(1))[0], `/lean/${name} a.test`);
    return { ...dialled, isOpen: () => isOpen };
  };
  const first = await open('first');
  const second = await open('second');
  for (let at = 2; at < connectionsMax; at++) await open(`${at}`);
  first.socket.write(get('/lean/again'));
  t.match((await first.answers(2))[1], '/lean/again a.test');
  const closed = once(second.socket, 'close');
  const one = await open('one-more');
  await closed;
  t.ok(first.isOpen() && one.isOpen(), 'who asked meanwhile stays');
  // Each is answered: it asks before so many others come.
  for (let at = 0; at < 3 * connectionsMax; at++) await open(`more-${at}`);
});

t.test('who does not read its answers is waited for, and has all of them in their order', async (t) => {
  const { port } = await startLeanServer(t, openFront);
  const silent = connect({ port, host: '127.0.0.1' });
  t.teardown(() => silent.destroy());
  await once(silent, 'connect');
  const barrier = connect({ port, host: '127.0.0.1' });
  t.teardown(() => barrier.destroy());
  // More than the kernel keeps for somebody who does not read.
  const count = 2500;
  for (let sent = 0; sent < count; sent++) {
    silent.write(get(`/lean/${sent}-${'x'.repeat(7000)}`));
    // By then that one has been read, or waits for the room of its answer.
    barrier.write(get('/lean/barrier'));
    await once(barrier, 'data');
  }
  silent.write(get('/lean/last'));
  let text = '';
  for await (const part of silent.setEncoding('latin1')) {
    text += String(part);
    if (text.includes('/lean/last a.test')) break;
  }
  const numbers = [...text.matchAll(/\r\n\r\n\/lean\/(\d+)-/g)].map(([, number]) => Number(number));
  t.strictSame(
    numbers,
    Array.from({ length: count }, (_, at) => at),
  );
});
