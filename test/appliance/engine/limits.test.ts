import { execFileSync } from 'node:child_process';
import type { AddressInfo, Socket } from 'node:net';
import t, { type Test } from 'tap';

import { calmLoad, type LoadLevel } from '../../../appliance/core/judge-load.ts';
import { AddressCounts, clientNetworkOf } from '../../../appliance/engine/address-counts.ts';
import type { EngineLimits } from '../../../appliance/engine/engine.ts';
import { putFile, seededBytes, testBundle, testFile, testToken } from '../../support/appliance/content.ts';
import { openSocket, rawExchange, rawGet, until } from '../../support/appliance/raw-http.ts';
import {
  engineKinds,
  temporaryDirectory,
  testDisk,
  testEngine,
  type EngineKind,
} from '../../support/appliance/serving-box.ts';

async function makeBox(
  test: Test,
  options: { kind: EngineKind; sizeBytes?: number; limits?: Partial<EngineLimits> },
) {
  const { disk } = await testDisk(await temporaryDirectory(test));
  test.teardown(() => disk.close());
  const film = testFile(seededBytes(options.sizeBytes ?? 100_000, 1));
  const bundle = testBundle([film]);
  for (const file of [film, bundle]) await putFile(disk, file);
  const box = await testEngine(test, { ...options, content: disk });
  const path = (token = testToken(box.key, { bundle: bundle.file })) => `/v1/${token}/${film.file}.mp4`;
  const status = async (target: string): Promise<string> => {
    const answer = await rawGet(box.port, target);
    if (answer.status !== 200) {
      if (answer.status === 429 && !answer.headers['retry-after']) throw new Error('no Retry-After');
      return `${answer.status} ${(JSON.parse(answer.body.toString()) as { code: string }).code}`;
    }
    return answer.body.equals(film.bytes) ? '200' : 'other bytes';
  };
  return { ...box, film, bundle, path, status };
}

/** Asks on a connection that stays open, and waits for the whole answer. */
async function ask(socket: Socket, path: string, lengthBytes: number): Promise<void> {
  let got = 0;
  const done = new Promise<void>((resolve, reject) => {
    socket.on('data', (part: Buffer) => (got += part.length) > lengthBytes && resolve());
    socket.once('close', reject);
  });
  socket.write(`GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`);
  await done;
}

for (const kind of engineKinds) {
  void t.test(`${kind}: one address has so many connections; those it has stay`, async (test) => {
    const box = await makeBox(test, { kind, limits: { connectionsPerAddressMax: 2 } });
    const kept = [await openSocket(box.port), await openSocket(box.port)];
    const path = box.path();
    for (const socket of kept) await ask(socket, path, box.film.bytes.length);
    test.equal(await box.status(path), '429 OVERLOADED');
    for (const socket of kept) socket.removeAllListeners('data');
    for (const socket of kept) await ask(socket, path, box.film.bytes.length);
    kept[0]?.destroy();
    await until(async () => (await box.status(path)) === '200');
    kept[1]?.destroy();
  });

  void t.test(`${kind}: one address cannot take the places of all by saying nothing`, async (test) => {
    const box = await makeBox(test, { kind, limits: { connectionsPerAddressMax: 2 } });
    let closed = 0;
    const sockets = await Promise.all(Array.from({ length: 30 }, () => openSocket(box.port)));
    for (const socket of sockets)
      socket
        .on('error', () => undefined)
        .on('close', () => closed++)
        .resume();
    // Some are left to be told so.
    await until(() => closed === 10);
    await until(() => box.engine.load().connections === 20);
    for (const socket of sockets) socket.destroy();
  });

  void t.test(`${kind}: who reads slower than the floor is cut, who reads faster is not`, async (test) => {
    const sizeBytes = 40_000_000;
    const limits = { minBytesPerSecond: 2_000_000, idleTimeoutMs: 500 };
    const box = await makeBox(test, { kind, sizeBytes, limits });
    const path = box.path();
    const slow = await openSocket(box.port);
    slow.on('error', () => undefined).pause();
    slow.write(`GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`);
    // 64 KiB each 100 ms, so that it never stands still.
    const sips = setInterval(() => {
      slow.read(65_536);
    }, 100);
    test.teardown(() => {
      clearInterval(sips);
    });
    test.equal(await box.status(path), '200', 'it reads as fast as it can');
    await until(() => box.cuts() === 1, 15_000);
    await until(() => box.engine.load().liveRequests === 0);
  });

  void t.test(`${kind}: load sheds fills, then new sessions, then all, and lets them back`, async (test) => {
    const box = await makeBox(test, { kind });
    const fill = box.path(testToken(box.key, { scope: 'fill', appliance: 'isp-a-1' }));
    const known = box.path();
    const shed = async (level: LoadLevel): Promise<string[]> => {
      box.engine.shed({ ...calmLoad, level, headroom: level === 'normal' ? 1 : 0.3, reasons: [] });
      return [await box.status(fill), await box.status(known), await box.status(box.path())];
    };
    const busy = '429 OVERLOADED';
    test.strictSame(await shed('normal'), ['200', '200', '200']);
    test.strictSame(await shed('shed-fill'), [busy, '200', '200']);
    test.strictSame(await shed('shed-new'), [busy, '200', busy]);
    test.strictSame(await shed('shed-all'), [busy, busy, busy]);
    test.match(box.engine.load(), { level: 'shed-all', headroom: 0.3 });
    test.strictSame(await shed('normal'), ['200', '200', '200']);
    box.engine.admit('known-sessions');
    test.equal((await shed('shed-new'))[2], '429 DRAINING', 'a drain says so');
    test.equal((await shed('shed-all'))[1], busy);
    box.engine.admit('all');
    test.strictSame(await shed('normal'), ['200', '200', '200']);
  });

  void t.test(`${kind}: a token for some networks is for nobody else`, async (test) => {
    const box = await makeBox(test, { kind });
    const status = (clients: string[], scope: 'play' | 'fill' = 'play') => {
      const covers = scope === 'fill' ? { appliance: 'isp-a-1' } : { bundle: box.bundle.file };
      return box.status(box.path(testToken(box.key, { scope, ...covers, clients })));
    };
    test.equal(await status(['192.0.2.0/24', '127.0.0.0/8']), '200');
    test.equal(await status(['127.0.0.1/32'], 'fill'), '200');
    test.equal(await status(['192.0.2.0/24', '::/0']), '403 TOKEN_CLIENT');
    test.equal(await status(['126.0.0.0/8'], 'fill'), '403 TOKEN_CLIENT');
  });

  void t.test(`${kind}: what load is judged by`, async (test) => {
    const box = await makeBox(test, { kind });
    const path = box.path();
    for (let i = 0; i < 5; i++) test.equal(await box.status(path), '200');
    const reading = box.engine.readLoad();
    test.equal(
      reading.ttfbCounts.reduce((all, count) => all + count, 0),
      5,
    );
    test.equal(reading.sentBytes, 5 * box.film.bytes.length);
    test.same(box.engine.readLoad(), reading, 'reading changes nothing');
    test.ok(reading.diskDelayMs < 1000);
    const socket = await openSocket(box.port);
    await until(() => box.engine.readLoad().connections === 1);
    socket.destroy();
    await until(() => box.engine.readLoad().connections === 0);
  });

  void t.test(`${kind}: a head that is too long has a problem of its own`, async (test) => {
    const box = await makeBox(test, { kind });
    const head = `GET ${box.path()} HTTP/1.1\r\nhost: a\r\nx-long: ${'x'.repeat(20_000)}\r\n\r\n`;
    const answer = (await rawExchange(box.port, head)).toString();
    test.match(answer, /^HTTP\/1\.1 431 /);
    const body = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)) as { status: number; code: string };
    test.match(body, { status: 431, code: 'HEADER_TOO_LARGE' });
    test.strictSame(box.records.refused, ['HEADER_TOO_LARGE']);
  });
}

void t.test(
  'addresses count by themselves in IPv4, by their /64 in IPv6, and leave nothing behind',
  async (test) => {
    test.equal(clientNetworkOf('192.0.2.1'), '192.0.2.1');
    test.equal(clientNetworkOf('::ffff:192.0.2.1'), '192.0.2.1');
    test.equal(clientNetworkOf('2001:db8::1'), clientNetworkOf('2001:db8:0:0:ffff:1:2:3'));
    test.not(clientNetworkOf('2001:db8::1'), clientNetworkOf('2001:db8:0:1::1'));
    test.equal(clientNetworkOf('fe80::1%eth0'), 'fe80::/64');
    test.equal(clientNetworkOf(''), '');
    const counts = new AddressCounts(2);
    const closers: (() => void)[] = [];
    const sockets = Array.from({ length: 30 }, (_, at) => ({
      remoteAddress: `2001:db8::${at}`,
      remotePort: at,
      isDestroyed: false,
      once: (_event: string, close: () => void) => closers.push(close),
      destroy() {
        this.isDestroyed = true;
      },
    }));
    for (const socket of sockets) counts.add(socket as unknown as Socket);
    test.strictSame(
      sockets.map((socket) => counts.isOver(socket as unknown as Socket)),
      sockets.map((_, at) => at >= 2),
    );
    test.equal(sockets.filter(({ isDestroyed }) => isDestroyed).length, 30 - 2 * 2 - 16);
    for (const close of closers) close();
    test.equal(counts.size, 0);
    test.notOk(counts.isOver(sockets[9] as unknown as Socket));
  },
);

void t.test('native: the kernel paces each connection as configured', async (test) => {
  const box = await makeBox(test, { kind: 'native', limits: { paceBytesPerSecond: 1_000_000 } });
  const socket = await openSocket(box.port);
  test.teardown(() => {
    socket.destroy();
  });
  await ask(socket, box.path(), box.film.bytes.length);
  const { port } = socket.address() as AddressInfo;
  let told: string;
  try {
    told = execFileSync('ss', ['-tinH', `sport = :${box.port} and dport = :${port}`], { encoding: 'utf8' });
  } catch (error) {
    test.pass('ss cannot be asked', { skip: String(error) });
    return;
  }
  test.match(
    told,
    /pacing_rate \S+\/8(?:000000|M)bps/,
    'eight bits a byte, as ss shows the most that it may be',
  );
});
