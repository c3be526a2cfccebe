import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import fc from 'fast-check';
import t, { type Test } from 'tap';

import type { EngineAddress } from '../../../appliance/engine/engine.ts';
import { putFile, seededBytes, testBundle, testFile, testToken } from '../../support/appliance/content.ts';
import { openSocket, rawExchange, rawGet, until } from '../../support/appliance/raw-http.ts';
import {
  engineKinds,
  temporaryDirectory,
  testDisk,
  testEngine,
  type EngineKind,
} from '../../support/appliance/serving-box.ts';

type BoxOptions = Parameters<typeof testEngine>[1]['limits'] & { sizeBytes?: number; at?: EngineAddress };

async function makeBox(test: Test, kind: EngineKind, options: BoxOptions = {}) {
  const { sizeBytes = 1_500_000, at, ...limits } = options;
  const { disk, openFiles } = await testDisk(await temporaryDirectory(test));
  test.teardown(() => disk.close());
  const film = testFile(seededBytes(sizeBytes, 1));
  const empty = testFile(Buffer.alloc(0), 'vtt');
  const other = testFile(seededBytes(100, 2));
  const bundle = testBundle([film, empty]);
  for (const file of [film, empty, other, bundle]) await putFile(disk, file);
  const engine = await testEngine(test, { content: disk, limits, kind, at });
  disk.onChange(({ file }) => {
    engine.engine.forget(file);
  });
  const token = testToken(engine.key, { bundle: bundle.file });
  return {
    ...engine,
    disk,
    openFiles,
    film,
    empty,
    other,
    bundle,
    token,
    path: `/v1/${token}/${film.file}.mp4`,
  };
}

type MakeBox = (test: Test, options?: BoxOptions) => ReturnType<typeof makeBox>;

/** What every engine has to do alike. */
function both(name: string, body: (test: Test, box: MakeBox) => Promise<void>): void {
  for (const kind of engineKinds) {
    void t.test(`${kind}: ${name}`, (test) => body(test, (inner, options) => makeBox(inner, kind, options)));
  }
}

both(
  'a held file is served whole, with everything that a player and a cache need to know',
  async (test, box) => {
    const { url, path, film, records } = await box(test);
    const answer = await fetch(url + path);
    test.equal(answer.status, 200);
    test.ok(Buffer.from(await answer.arrayBuffer()).equals(film.bytes));
    const { headers } = answer;
    test.equal(headers.get('etag'), `"${film.file}"`);
    test.equal(headers.get('content-type'), 'video/mp4');
    test.equal(headers.get('accept-ranges'), 'bytes');
    test.equal(headers.get('cache-control'), 'private, max-age=31536000, immutable');
    test.equal(headers.get('access-control-allow-origin'), '*');
    test.match(
      headers.get('access-control-expose-headers'),
      /Content-Length, Content-Range, ETag, Retry-After/,
    );
    test.equal(headers.get('x-content-type-options'), 'nosniff');
    test.equal(headers.get('referrer-policy'), 'no-referrer');
    test.equal(headers.get('timing-allow-origin'), '*');
    test.equal(headers.get('cache-status'), 'nearcast;hit');
    test.equal(headers.get('cmsd-static'), 'ot=v,st=v');
    test.match(headers.get('cmsd-dynamic'), /^"box-1";rd=\d+$/);
    test.match(headers.get('server-timing'), /^cdn-cache;desc=hit, ttfb;dur=\d+$/);
    test.ok(headers.get('last-modified'));
    await until(() => records.sentBytes === film.bytes.length);
  },
);

/** RFC 9110 §14 as plainly as it can be written, for one range-spec. */
function naive(header: string, bytes: Buffer): { status: number; body: Buffer } {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header);
  if (!match || (match[1] === '' && match[2] === '')) return { status: 200, body: bytes };
  const none = { status: 416, body: Buffer.alloc(0) };
  if (match[1] === '') {
    const count = Number(match[2]);
    return count === 0 ? none : { status: 206, body: bytes.subarray(Math.max(0, bytes.length - count)) };
  }
  const first = Number(match[1]);
  const last = match[2] === '' ? bytes.length - 1 : Number(match[2]);
  if (match[2] !== '' && last < first) return { status: 200, body: bytes };
  return first >= bytes.length ? none : { status: 206, body: bytes.subarray(first, last + 1) };
}

both('any Range header gives the status and the bytes of a naive reference', async (test, box) => {
  const sizeBytes = 700_001;
  const { url, path, film } = await box(test, { sizeBytes });
  const at = fc.oneof(
    fc.nat(20),
    fc.nat(sizeBytes + 10),
    fc.constantFrom(sizeBytes - 1, sizeBytes, 2 ** 53, 262_144),
  );
  const range = fc.oneof(
    fc.tuple(at, at).map(([a, b]) => `bytes=${a}-${b}`),
    at.map((a) => `bytes=${a}-`),
    at.map((a) => `bytes=-${a}`),
    fc.constantFrom(
      'bytes=-',
      'bytes=',
      'bytes',
      'bytes=a-b',
      'items=0-1',
      'bytes=0-1,5-6',
      'bytes=1--2',
      'bytes=0x1-2',
    ),
  );
  await fc.assert(
    fc.asyncProperty(range, async (header) => {
      const expected = naive(header, film.bytes);
      const answer = await fetch(url + path, { headers: { range: header } });
      const body = Buffer.from(await answer.arrayBuffer());
      if (answer.status !== expected.status)
        throw new Error(`${header}: ${answer.status}, not ${expected.status}`);
      if (!body.equals(expected.body)) throw new Error(`${header}: other bytes`);
      const contentRange = answer.headers.get('content-range');
      if (answer.status === 416 && contentRange !== `bytes */${sizeBytes}`)
        throw new Error(`${header}: ${contentRange}`);
      if (answer.status === 206 && !contentRange?.endsWith(`/${sizeBytes}`))
        throw new Error(`${header}: ${contentRange}`);
    }),
    { numRuns: 300 },
  );
});

both('conditions: If-None-Match, If-Match, If-Modified-Since and If-Range', async (test, box) => {
  const { url, path, film } = await box(test);
  const etag = `"${film.file}"`;
  const get = (headers: Record<string, string>, method = 'GET') => fetch(url + path, { headers, method });
  const modified = (await get({}, 'HEAD')).headers.get('last-modified') ?? '';
  test.equal((await get({ 'if-none-match': etag })).status, 304);
  test.equal((await get({ 'if-none-match': `W/${etag}, "x"` })).status, 304);
  test.equal((await get({ 'if-none-match': '"x"' }, 'HEAD')).status, 200);
  test.equal((await get({ 'if-match': '"x"' })).status, 412);
  test.equal((await get({ 'if-match': etag }, 'HEAD')).status, 200);
  test.equal((await get({ 'if-modified-since': modified })).status, 304);
  const part = async (ifRange: string) => (await get({ range: 'bytes=0-9', 'if-range': ifRange })).status;
  test.equal(await part(etag), 206);
  test.equal(await part('"x"'), 200);
  test.equal(await part(`W/${etag}`), 200);
  test.equal(await part(modified), 206);
  test.equal(await part('Mon, 01 Jan 2001 00:00:00 GMT'), 200);
});

both('HEAD, OPTIONS, an empty file, the chunk list, health and other methods', async (test, box) => {
  const { url, path, film, empty, token, port } = await box(test);
  const head = await fetch(url + path, { method: 'HEAD', headers: { range: 'bytes=0-1' } });
  test.equal(head.status, 200);
  test.equal(head.headers.get('content-length'), String(film.bytes.length));
  const preflight = await fetch(url + path, { method: 'OPTIONS' });
  test.equal(preflight.status, 204);
  test.match(preflight.headers.get('access-control-allow-headers'), /Range/);
  const nothing = await fetch(`${url}/v1/${token}/${empty.file}.vtt`);
  test.equal(nothing.status, 200);
  test.equal(await nothing.text(), '');
  const list = await fetch(`${url}/v1/${token}/${film.file}.chunks`);
  test.equal(list.headers.get('content-type'), 'application/vnd.nearcast.chunks');
  test.ok(Buffer.from(await list.arrayBuffer()).equals(film.descriptor));
  const post = await fetch(url + path, { method: 'POST', body: 'x' });
  test.equal(post.status, 405);
  test.equal(post.headers.get('allow'), 'GET, HEAD, OPTIONS');
  test.equal((await fetch(`${url}/healthz`)).headers.get('access-control-allow-origin'), '*');
  test.equal(await (await fetch(`${url}/metrics`)).text(), 'up 1\n');
  test.equal(
    (await rawGet(port, `http://box${path}?CMCD=bl%3D1`, { headers: { range: 'bytes=0-0' } })).status,
    206,
  );
});

both(
  'a token that is forged, expired, foreign, tampered with or revoked opens nothing',
  async (test, box) => {
    const { url, key, film, bundle, other, revoked, port, token } = await box(test);
    const { generateKey } = await import('../../../common/runtime/keys.ts');
    const nowMs = Date.now();
    const ask = async (text: string, file = film.file, ext = 'mp4') => {
      const answer = await fetch(`${url}/v1/${text}/${file}.${ext}`);
      test.equal(answer.headers.get('access-control-allow-origin'), '*', 'a page can read why');
      return [answer.status, ((await answer.json()) as { code: string }).code];
    };
    const play = { bundle: bundle.file };
    test.same(await ask(testToken(generateKey(), play)), [403, 'TOKEN_INVALID']);
    test.same(await ask(testToken(key, { ...play, nowMs: nowMs - 7200_000 })), [403, 'TOKEN_EXPIRED']);
    test.same(await ask(testToken(key, { ...play, nowMs: nowMs + 7200_000 })), [403, 'TOKEN_INVALID']);
    test.same(await ask(token, other.file), [403, 'TOKEN_FOREIGN']);
    test.same(await ask(token, film.file, 'json'), [404, 'FILE_UNKNOWN']);
    test.same(await ask(testToken(key, { bundle: '0'.repeat(64) })), [404, 'FILE_UNKNOWN']);
    test.same(await ask(testToken(key, { ...play, scope: 'steer', pathways: ['a'] })), [
      403,
      'TOKEN_FOREIGN',
    ]);
    for (const at of [20, 60, 150, token.length - 5]) {
      const flipped = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1);
      test.equal((await ask(flipped))[0], 403, `bit at ${at}`);
    }
    const session = 'ab'.repeat(16);
    const ended = testToken(key, { ...play, session });
    test.equal((await fetch(`${url}/v1/${ended}/${film.file}.mp4`, { method: 'HEAD' })).status, 200);
    revoked.sessions.add(session);
    test.same(await ask(ended), [403, 'TOKEN_REVOKED'], 'although its signature was checked and remembered');
    revoked.bundles.add(bundle.file);
    test.same(await ask(token), [403, 'TOKEN_REVOKED']);
    const fill = testToken(key, { scope: 'fill', appliance: 'isp-a-1' });
    test.equal((await rawGet(port, `/v1/${fill}/${other.file}.mp4`)).status, 200, 'fill reads any held file');
  },
);

both('no form of path traversal leaves the table of files', async (test, box) => {
  const { port, token, film } = await box(test);
  const targets = [
    '/',
    '/v1',
    '/v1/',
    `/v1/${token}`,
    `/v1/${token}/`,
    `/v1/${token}/../../etc/passwd`,
    '/../../../etc/passwd',
    `/v1/${token}/..%2f..%2fetc%2fpasswd`,
    `/v1/${token}/%2e%2e/%2e%2e/identity.json`,
    `/v1/${token}/..\\..\\identity.json`,
    `/v1/${token}//${film.file}.mp4`,
    `//v1/${token}/${film.file}.mp4`,
    `/v1/./${token}/${film.file}.mp4`,
    `/v1/${token}/x/../${film.file}.mp4`,
    `/v1/${token}/${film.file}.mp4/`,
    `/v1/${token}/${film.file}.mp4%00.json`,
    `/v1/${token}/${film.file}`,
    `/v1/${token}/${film.file}.html`,
    `/v1/${token}/${film.file.toUpperCase()}.mp4`,
    `/v1/${token}/${film.file}.mp4;x`,
    `/v1/${token}/${film.file}%2emp4`,
    `/v1/${token}/${film.file.slice(1)}.mp4`,
    `/v1/${'a'.repeat(3000)}/${film.file}.mp4`,
    '/files/00/00',
    '/identity.json',
    '/v1/healthz',
    '/healthz/..',
    '*',
    `file:///etc/passwd`,
    `http://box/../etc/passwd`,
    `/v1/${token}/${film.file}.mp4\u00ff`,
  ];
  for (const target of targets) {
    const { status, headers, body } = await rawGet(port, target);
    test.ok(status === 404 || status === 400, `${target.replaceAll(token, 'T')}: ${status}`);
    test.equal(headers['content-type'], 'application/problem+json');
    test.ok((JSON.parse(body.toString()) as { code: string }).code);
    test.notOk(body.includes(token), 'the token is not repeated');
  }
});

both('what is not HTTP is refused and the connection closed', async (test, box) => {
  const { port } = await box(test);
  const bad = [
    'GARBAGE\r\n\r\n',
    'GET / HTTP/1.1\r\n\r\n',
    'GET /\0 HTTP/1.1\r\nhost: a\r\n\r\n',
    `GET / HTTP/1.1\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`,
  ];
  for (const request of bad) {
    const answer = (await rawExchange(port, request)).toString('latin1');
    test.match(answer, /^HTTP\/1\.1 4(00|31) /);
    test.match(answer, /connection: close/i);
  }
});

both('pipelined requests are answered in order and whole', async (test, box) => {
  const { port, path, film } = await box(test);
  const ask = (range: string, last = '') =>
    `GET ${path} HTTP/1.1\r\nhost: a\r\nrange: bytes=${range}\r\n${last}\r\n`;
  const all = await rawExchange(port, ask('0-9') + ask('10-600000') + ask('5-5', 'connection: close\r\n'));
  const bodies: Buffer[] = [];
  for (let at = 0; at < all.length;) {
    const end = all.indexOf('\r\n\r\n', at) + 4;
    const length = Number(/content-length: (\d+)/i.exec(all.subarray(at, end).toString('latin1'))?.[1]);
    bodies.push(all.subarray(end, end + length));
    at = end + length;
  }
  test.equal(bodies.length, 3);
  test.ok(
    Buffer.concat(bodies).equals(Buffer.concat([film.bytes.subarray(0, 600_001), film.bytes.subarray(5, 6)])),
  );
});

both('garbage behind a request adds no byte to the body that is being sent', async (test, box) => {
  const { port, path, film, engine } = await box(test, { sizeBytes: 30_000_000 });
  const socket = await openSocket(port);
  const parts: Buffer[] = [];
  socket.on('error', () => undefined).pause();
  socket.write(`GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`);
  await until(() => engine.load().liveRequests === 1);
  await new Promise((resolve) => socket.write('GARBAGE\r\n\r\n', resolve));
  socket.on('data', (part: Buffer) => parts.push(part)).resume();
  await new Promise((resolve) => socket.once('close', resolve));
  const all = Buffer.concat(parts);
  const answer = all.subarray(all.indexOf('\r\n\r\n') + 4);
  const body = answer.subarray(0, film.bytes.length);
  test.ok(body.equals(film.bytes.subarray(0, body.length)), 'nothing but the file, or its beginning');
  test.match(answer.subarray(film.bytes.length).toString('latin1'), /^(HTTP\/1\.1 400 |$)/);
});

both('clients that vanish or stall in mid-body cost no descriptor and no buffer', async (test, box) => {
  // Nobody is cut for stalling before all of them do, however busy the machine is.
  const limits = { headersTimeoutMs: 60_000, idleTimeoutMs: 60_000 };
  const scene = await box(test, { sizeBytes: 30_000_000, ...limits });
  const { port, path, openFiles, engine, disk, film, cuts, parked } = scene;
  const before = (await readdir('/proc/self/fd')).length;
  const sockets = await Promise.all(Array.from({ length: 60 }, () => openSocket(port)));
  for (const [index, socket] of sockets.entries()) {
    socket.on('error', () => undefined);
    // Some take a little, some nothing, some ask for more before the first is sent.
    const request = `GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`;
    socket.write(index % 3 === 0 ? request.repeat(4) : request);
    if (index % 2 === 0) socket.once('data', () => socket.pause());
    else socket.pause();
  }
  // What waits for a decision has no body yet that could be cut.
  await until(() => engine.load().liveRequests >= 60 && parked() === 0);
  test.ok(openFiles.size <= 4, 'one descriptor serves them all, and the addon has its own');
  for (const socket of sockets) socket.resetAndDestroy();
  await until(() => engine.load().liveRequests === 0);
  await until(async () => (await readdir('/proc/self/fd')).length <= before + 3);
  test.ok(cuts() >= 60);
  await until(() => !disk.inUse(film.file));
});

both('a file that is deleted while it is read is read to its end', async (test, box) => {
  const { url, path, disk, film, openFiles } = await box(test, { sizeBytes: 30_000_000 });
  const answer = await fetch(url + path);
  await disk.remove(film.file);
  test.ok(Buffer.from(await answer.arrayBuffer()).equals(film.bytes));
  test.equal((await fetch(url + path)).status, 404);
  await until(() => openFiles.size <= 1);
});

both('load that is shed and a drain answer 429 with Retry-After, never 503', async (test, box) => {
  const { port, path, engine, url, key, bundle, film } = await box(test, {
    requestsMax: 2,
    sizeBytes: 30_000_000,
  });
  const slow = await Promise.all([openSocket(port), openSocket(port)]);
  for (const socket of slow)
    socket
      .on('error', () => undefined)
      .pause()
      .write(`GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`);
  await until(() => engine.load().liveRequests === 2);
  test.equal(engine.load().headroom, 0);
  const shed = await fetch(url + path);
  test.equal(shed.status, 429);
  test.ok(shed.headers.get('retry-after'));
  test.equal(((await shed.json()) as { code: string }).code, 'OVERLOADED');
  for (const socket of slow) socket.destroy();
  await until(() => engine.load().liveRequests === 0);
  engine.admit('known-sessions');
  test.equal((await fetch(url + path, { method: 'HEAD' })).status, 200, 'who plays goes on playing');
  const fresh = await fetch(`${url}/v1/${testToken(key, { bundle: bundle.file })}/${film.file}.mp4`);
  test.equal(fresh.status, 429);
  test.equal(((await fresh.json()) as { code: string }).code, 'DRAINING');
  engine.admit('nobody');
  test.equal((await fetch(url + path)).status, 429);
});

both('closing waits for what is in flight and cuts it at the deadline', async (test, box) => {
  const { port, path, engine, film } = await box(test, { sizeBytes: 30_000_000 });
  const done = rawGet(port, path, { headers: { connection: 'keep-alive' } });
  await until(() => engine.load().liveRequests === 1);
  const closing = engine.close(10_000);
  test.ok((await done).body.equals(film.bytes));
  await closing;
  const second = await box(test, { sizeBytes: 30_000_000 });
  const stuck = await openSocket(second.port);
  stuck
    .on('error', () => undefined)
    .pause()
    .write(`GET ${second.path} HTTP/1.1\r\nhost: a\r\n\r\n`);
  await until(() => second.engine.load().liveRequests === 1);
  await second.engine.close(100);
  await once(stuck.resume(), 'close');
});

both('a port that is taken is told as such', async (test, box) => {
  const { port } = await box(test);
  await test.rejects(box(test, { at: { host: '127.0.0.1', port } }), { code: 'ADDRESS_IN_USE' });
  await test.rejects(box(test, { at: { host: '192.0.2.1', port: 0 } }), { code: 'ADDRESS_UNAVAILABLE' });
});
