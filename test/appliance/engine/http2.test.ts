import { once } from 'node:events';
import {
  connect as connectHttp2,
  constants,
  type ClientHttp2Session,
  type IncomingHttpHeaders,
} from 'node:http2';
import { connect, createServer } from 'node:net';
import { duplexPair } from 'node:stream';
import { connect as tlsConnect } from 'node:tls';
import t, { type Test } from 'tap';

import { createNodeEngine, type NodeEngineOptions } from '../../../appliance/engine/node-engine.ts';
import { putFile, seededBytes, testBundle, testFile, testToken } from '../../support/appliance/content.ts';
import { until } from '../../support/appliance/raw-http.ts';
import {
  engineKinds,
  temporaryDirectory,
  testDisk,
  testEngine,
  type EngineKind,
} from '../../support/appliance/serving-box.ts';
import { makeCertificate } from '../../support/certificates.ts';

const certificate = await makeCertificate(await temporaryDirectory(t), { file: 'box', hosts: ['box.test'] });

async function makeBox(test: Test, kind: EngineKind) {
  const { disk, openFiles } = await testDisk(await temporaryDirectory(test));
  test.teardown(() => disk.close());
  const film = testFile(seededBytes(3_000_000, 1));
  const bundle = testBundle([film]);
  for (const file of [film, bundle]) await putFile(disk, file);
  const box = await testEngine(test, { content: disk, kind });
  const { cert, key } = certificate;
  box.engine.setTls({ certificates: [{ names: ['box.test'], chainPem: cert, keyPem: key }], h2: true });
  const token = testToken(box.key, { bundle: bundle.file });
  return { ...box, disk, openFiles, film, token, path: `/v1/${token}/${film.file}.mp4` };
}

function openSession(test: Test, port: number): ClientHttp2Session {
  const session = connectHttp2(`https://box.test:${port}`, {
    createConnection: () =>
      tlsConnect({
        host: '127.0.0.1',
        port,
        servername: 'box.test',
        ca: certificate.cert,
        ALPNProtocols: ['h2'],
      }),
  });
  session.on('error', () => undefined);
  test.teardown(() => {
    session.destroy();
  });
  return session;
}

interface Answer {
  readonly headers: IncomingHttpHeaders;
  readonly status: number;
  readonly body: Buffer;
  /** RST_STREAM's. */
  readonly code: number;
}

function ask(session: ClientHttp2Session, headers: Record<string, string>, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':method': 'GET', ...headers }, { endStream: body === undefined });
    if (body !== undefined) stream.end(body);
    const parts: Buffer[] = [];
    let got: IncomingHttpHeaders = {};
    stream.on('response', (response) => {
      got = response;
    });
    stream.on('data', (part: Buffer) => parts.push(part));
    stream.on('error', (error) => {
      if (!stream.closed) reject(error);
    });
    stream.on('close', () => {
      resolve({
        headers: got,
        status: Number(got[':status']),
        body: Buffer.concat(parts),
        code: stream.rstCode,
      });
    });
  });
}

for (const kind of engineKinds) {
  void t.test(`${kind}: ranges, many at a time, on one HTTP/2 connection`, async (test) => {
    const { port, path, film, engine } = await makeBox(test, kind);
    const session = openSession(test, port);
    const whole = await ask(session, { ':path': path });
    test.equal(whole.status, 200);
    test.ok(whole.body.equals(film.bytes));
    const answers = await Promise.all(
      Array.from({ length: 60 }, async (_, at) => {
        const first = at * 40_000;
        const { status, body } = await ask(session, {
          ':path': path,
          range: `bytes=${first}-${first + 99_999}`,
        });
        return status === 206 && body.equals(film.bytes.subarray(first, first + 100_000));
      }),
    );
    test.ok(answers.every(Boolean));
    test.equal(engine.load().connections, 1);
    const { headers } = await ask(session, { ':path': path, range: 'bytes=0-9' });
    test.match(headers, { 'content-range': `bytes 0-9/${film.bytes.length}`, etag: `"${film.file}"` });
    test.equal(headers.connection, undefined);
    test.match(headers['server-timing'], /^cdn-cache;desc=hit, ttfb;dur=\d+$/);
  });

  void t.test(`${kind}: everything else over HTTP/2 is as over HTTP/1.1`, async (test) => {
    const { port, path, film, records, engine } = await makeBox(test, kind);
    const session = openSession(test, port);
    const head = await ask(session, { ':path': path, ':method': 'HEAD' });
    test.match(head, { status: 200, body: Buffer.alloc(0) });
    test.equal(head.headers['content-length'], String(film.bytes.length));
    test.equal((await ask(session, { ':path': path, 'if-none-match': `"${film.file}"` })).status, 304);
    test.equal((await ask(session, { ':path': path, range: 'bytes=9000000-' })).status, 416);
    test.equal((await ask(session, { ':path': '/v1/x/y.mp4' })).status, 404);
    test.equal((await ask(session, { ':path': path.replace('v1/', 'v1/A') })).status, 403);
    test.equal((await ask(session, { ':path': path, ':method': 'POST' }, 'a body')).status, 405);
    test.equal((await ask(session, { ':path': path, ':method': 'OPTIONS' })).status, 204);
    test.equal((await ask(session, { ':path': '/healthz' })).body.toString(), '{"status":"ok"}');
    engine.admit('nobody');
    const refused = await ask(session, { ':path': path });
    test.match(refused, { status: 429, headers: { 'retry-after': '30' } });
    test.ok(records.refused.includes('DRAINING'));
  });

  void t.test(
    `${kind}: a viewer who leaves in mid-body costs nothing, and its connection goes on`,
    async (test) => {
      const { port, path, openFiles, engine } = await makeBox(test, kind);
      const session = openSession(test, port);
      for (let round = 0; round < 10; round++) {
        const stream = session.request({ ':path': path });
        await once(stream, 'data');
        stream.on('error', () => undefined);
        stream.close(constants.NGHTTP2_CANCEL);
        await once(stream, 'close');
      }
      await until(() => engine.load().liveRequests === 0);
      test.equal((await ask(session, { ':path': path, range: 'bytes=5-9' })).status, 206);
      session.destroy();
      await until(() => engine.load().connections === 0);
      test.ok(openFiles.size <= 2);
    },
  );

  void t.test(
    `${kind}: closing finishes what is in flight on HTTP/2, and takes nothing new`,
    async (test) => {
      const { port, path, film, engine } = await makeBox(test, kind);
      const session = openSession(test, port);
      const idle = openSession(test, port);
      await ask(idle, { ':path': '/healthz' });
      const stream = session.request({ ':path': path });
      let bytes = 0;
      stream.on('data', (part: Buffer) => (bytes += part.length));
      await once(stream, 'data');
      const ended = once(stream, 'close');
      await Promise.all([engine.close(4000), ended]);
      test.equal(bytes, film.bytes.length);
    },
  );
}

void t.test(
  'connections that were accepted elsewhere: what was read of them already comes first',
  async (test) => {
    const { engineOptions, path, film } = await makeBox(test, 'node');
    const node = createNodeEngine(engineOptions);
    test.teardown(() => node.close(0));
    const request = (first: number): string =>
      `GET ${path} HTTP/1.1\r\nhost: box\r\nrange: bytes=${first}-${first + 9}\r\n\r\n`;
    const bodies = (text: string): string[] => text.split(/HTTP\/1\.1 206 [^]*?\r\n\r\n/).slice(1);
    const wanted = [0, 100, 200, 300].map((first) => film.bytes.toString('latin1', first, first + 10));
    const sent = Buffer.from([0, 100, 200, 300].map(request).join(''));

    // Cut anywhere, a socket and a stream that is none.
    for (const cut of [1, 10, request(0).length, request(0).length + 30, sent.length - 1, sent.length]) {
      const server = createServer((socket) => {
        node.adopt(socket, { bytes: sent.subarray(0, cut) });
      }).listen(0);
      await once(server, 'listening');
      const { port } = server.address() as { port: number };
      const viewer = connect(port, '127.0.0.1');
      viewer.setEncoding('latin1');
      let text = '';
      viewer.on('data', (part: string) => (text += part));
      viewer.write(sent.subarray(cut));
      await until(() => bodies(text).length === 4 && bodies(text)[3]?.length === 10);
      test.same(bodies(text), wanted, `a socket, cut at ${cut}`);
      test.ok(node.load().connections >= 1);
      viewer.destroy();
      server.close();

      const [ours, theirs] = duplexPair();
      node.adopt(ours, { bytes: sent.subarray(0, cut) });
      theirs.setEncoding('latin1');
      text = '';
      theirs.on('data', (part: string) => (text += part));
      theirs.write(sent.subarray(cut));
      await until(() => bodies(text).length === 4 && bodies(text)[3]?.length === 10);
      test.same(bodies(text), wanted, `a stream, cut at ${cut}`);
      theirs.destroy();
      ours.destroy();
    }
    await until(() => node.load().connections === 0);
  },
);

void t.test('adopted HTTP/2: the address is told, and closing ends it', async (test) => {
  const { disk } = await makeBox(test, 'node');
  const seen: string[] = [];
  const base = await testEngine(test, { content: disk });
  const options: NodeEngineOptions = {
    ...base.engineOptions,
    metrics: (caller) => {
      seen.push(caller.address);
      return Promise.resolve({ contentType: 'text/plain', text: 'up 1\n' });
    },
  };
  const engine = createNodeEngine(options);
  const [ours, theirs] = duplexPair();
  engine.adopt(Object.assign(ours, { remoteAddress: '192.0.2.7', remotePort: 7 }), {
    bytes: Buffer.alloc(0),
    isH2: true,
  });
  const session = connectHttp2('http://box', { createConnection: () => theirs });
  session.on('error', () => undefined);
  const answer = await ask(session, { ':path': '/metrics' });
  test.equal(answer.body.toString(), 'up 1\n');
  test.same(seen, ['192.0.2.7']);
  test.equal(engine.load().connections, 1);
  await Promise.all([engine.close(1000), once(session, 'close')]);
  test.equal(engine.load().connections, 0);
  const [late] = duplexPair();
  engine.adopt(late, { bytes: Buffer.alloc(0) });
  test.ok(late.destroyed);
});
