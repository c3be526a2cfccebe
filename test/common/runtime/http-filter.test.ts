import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { request } from 'undici';

import { problemCodes, type ProblemCode } from '../../../common/contract/problem.ts';
import { Type } from '../../../common/contract/type.ts';
import { createHttpServer, type HttpServerOptions } from '../../../common/runtime/http-server.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import { createMetrics } from '../../../common/runtime/metrics.ts';

const config = { credential: ['none'] } as const;

/** A server that says what it was sent. */
async function startServer(t: Test, options: Partial<HttpServerOptions> = {}): Promise<string> {
  const metrics = createMetrics({ name: 'filter', version: '1' });
  const named = { name: 'filter', version: '1', log: createSilentLog(), metrics, credentials: {} };
  const server = await createHttpServer({ ...named, ...options });
  t.teardown(() => server.stop());
  const schema = { querystring: Type.Object({ after: Type.Optional(Type.Integer()) }) };
  server.app.get('/ask', { config, schema }, () => 'asked');
  server.app.get('/ask/:name', { config }, (sent) => (sent.params as { name: string }).name);
  server.app.post('/take', { config }, (sent) => ({ taken: sent.body }));
  server.app.post('/drain', { config }, async (_sent, reply) => {
    await reply.send();
    await server.drain();
  });
  return await server.listen({ host: '127.0.0.1', port: 0 });
}

type Asked = ReturnType<typeof request>;

async function refusedWith(t: Test, asked: Asked, code: ProblemCode): Promise<void> {
  const { statusCode, body } = await asked;
  const text = await body.text();
  t.equal(statusCode, problemCodes[code].status, code);
  t.match(JSON.parse(text), { code });
}

const post = (url: string, body: string | Buffer): Asked =>
  request(`${url}/take`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });

t.test('bodies that no honest client sends are refused, each with its code', async (t) => {
  const url = await startServer(t);
  const cases: readonly (readonly [string | Buffer, ProblemCode])[] = [
    ['['.repeat(200_000), 'JSON_TOO_DEEP'],
    [`${'{"a":'.repeat(33)}1${'}'.repeat(33)}`, 'JSON_TOO_DEEP'],
    ['{"role":"viewer","role":"admin"}', 'JSON_KEY_DUPLICATE'],
    ['{"a":{"__proto__":{"isAdmin":true}}}', 'JSON_KEY_FORBIDDEN'],
    ['{"constructor":{"prototype":{"isAdmin":true}}}', 'JSON_KEY_FORBIDDEN'],
    [Buffer.from([0x22, 0xc3, 0x28, 0x22]), 'TEXT_INVALID'],
    [Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), 'TEXT_INVALID'],
    ['', 'BAD_REQUEST'],
    ['{"a":1', 'BAD_REQUEST'],
    ['nonsense', 'BAD_REQUEST'],
    [`"${'x'.repeat(300_000)}"`, 'BODY_TOO_LARGE'],
  ];
  for (const [body, code] of cases) await refusedWith(t, post(url, body), code);
  const { body } = await post(url, '{"é":[{"a":1},{"a":2}]}');
  t.strictSame(await body.json(), { taken: { é: [{ a: 1 }, { a: 2 }] } });
});

t.test('a body of a gigabyte is refused before it has come', async (t) => {
  const url = await startServer(t);
  const head = 'POST /take HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n';
  const announced = open(t, url, `${head}content-length: 1073741824\r\n\r\n{`);
  t.match(
    await answerOf(announced),
    /^HTTP\/1\.1 413 [\s\S]*connection: close[\s\S]*"code":"BODY_TOO_LARGE"/i,
  );
  const endless = open(t, url, `${head}transfer-encoding: chunked\r\n\r\n`);
  const chunk = Buffer.from(`10000\r\n${' '.repeat(65_536)}\r\n`);
  let sent = 0;
  const send = (): void => {
    while (endless.writable && sent < 1 << 30) {
      sent += 65_536;
      if (!endless.write(chunk)) return;
    }
  };
  endless.on('drain', send);
  send();
  // What is still on its way when the server closes may cost the client the answer (RFC 9112 §9.6).
  t.match(await answerOf(endless), /^$|^HTTP\/1\.1 413 /);
  t.ok(sent < 64 << 20, `${sent} bytes were taken into buffers`);
});

t.test('heads are bounded in size, fields, parameters and time', async (t) => {
  const url = await startServer(t);
  const parameters = (count: number): string =>
    `${url}/ask?${Array.from({ length: count }, (_, at) => `p${at}=1`).join('&')}`;
  t.equal((await request(parameters(100))).statusCode, 200);
  await refusedWith(t, request(parameters(101)), 'PARAMETERS_TOO_MANY');
  await refusedWith(t, request(`${url}/ask?${'&'.repeat(5000)}`), 'PARAMETERS_TOO_MANY');
  const fields = Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`x-${at}`, '1']));
  await refusedWith(t, request(`${url}/ask`, { headers: fields }), 'HEADER_TOO_LARGE');
  const withFields = (count: number): string =>
    `GET /ask HTTP/1.1\r\nhost: x\r\n${'a: b\r\n'.repeat(count - 1)}\r\n`;
  t.match(await answerOf(open(t, url, withFields(101))), /^HTTP\/1\.1 431 [\s\S]*"code":"HEADER_TOO_LARGE"/);
  const long = open(t, url, `GET / HTTP/1.1\r\nhost: x\r\nx-long: ${'x'.repeat(20_000)}\r\n\r\n`);
  t.match(await answerOf(long), /^HTTP\/1\.1 431 [\s\S]*"code":"HEADER_TOO_LARGE"/);
  const hasty = await startServer(t, { limits: { requestMs: 200 } });
  const slow = open(t, hasty, 'GET / HTTP/1.1\r\nhost: x\r\n');
  t.match(await answerOf(slow), /^HTTP\/1\.1 408 [\s\S]*"code":"REQUEST_TIMEOUT"/);
});

t.test('who has asked nothing yet is nobody slow: kept, and closed without a word', async (t) => {
  const ask = 'GET /ask HTTP/1.1\r\nhost: x\r\n';
  const brief = await startServer(t, { limits: { requestMs: 200, keepAliveMs: 300, idleMs: 800 } });
  const idle = [open(t, brief, ''), open(t, brief, `${ask}\r\n`)].map(answerOf);
  const hasty = await startServer(t, { limits: { requestMs: 200 } });
  const silent = open(t, hasty, '');
  t.match(await answerOf(open(t, hasty, ask)), /^HTTP\/1\.1 408 /, 'slow heads were looked for');
  silent.write(ask);
  t.match(
    await answerOf(silent),
    /^HTTP\/1\.1 408 [\s\S]*"code":"REQUEST_TIMEOUT"/,
    'a head that comes late',
  );
  const [unused, used] = await Promise.all(idle);
  t.equal(unused, '');
  t.match(used, /^HTTP\/1\.1 200 [\s\S]*\r\n\r\nasked$/, 'nothing but its answer');
});

t.test('a server that drains does not wait for those who have asked nothing', async (t) => {
  const url = await startServer(t);
  const silent = open(t, url, '');
  const left = answerOf(silent);
  const { body } = await request(`${url}/drain`, { method: 'POST' });
  await body.dump();
  t.equal(await left, '');
});

t.test('what two readers could read in two ways is refused', async (t) => {
  const url = await startServer(t);
  const both =
    'content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /ask HTTP/1.1\r\nhost: x\r\n\r\n';
  for (const head of [
    `POST /take HTTP/1.1\r\nhost: x\r\n${both}`,
    'POST /take HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab',
    'GET /ask HTTP/1.1\r\nhost: x\r\nx-a : b\r\n\r\n',
    'GET /ask HTTP/1.1\r\nhost: x\r\n folded: b\r\n\r\n',
    'GET /ask HTTP/1.1\r\n\r\n',
  ]) {
    const answer = await answerOf(open(t, url, head));
    t.match(answer, /^HTTP\/1\.1 400 /, JSON.stringify(head.slice(0, 60)));
    t.notMatch(answer, /asked/, 'nothing behind it is taken for a request');
  }
  await refusedWith(t, request(`${url}/ask?after=1&after=2`), 'INVALID');
  const invalid = open(t, url, 'GET /ask/%ff%fe HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
  t.match(await answerOf(invalid), /^HTTP\/1\.1 400 /);
});

t.test('pages of origins that are named may call, and no others', async (t) => {
  const allowed = async (cors: readonly string[], origin: string) => {
    const { headers } = await request(`${await startServer(t, { cors })}/ask`, { headers: { origin } });
    return headers['access-control-allow-origin'];
  };
  t.equal(await allowed(['*'], 'https://a.example'), '*');
  t.equal(
    await allowed(['https://a.example', 'https://b.example'], 'https://b.example'),
    'https://b.example',
  );
  t.equal(await allowed(['https://a.example'], 'https://a.example.evil'), undefined);
  t.equal(await allowed(['https://a.example'], 'http://a.example'), undefined);
  t.equal(await allowed([], 'https://a.example'), undefined);
});

function open(t: Test, url: string, bytes: string): Socket {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  t.teardown(() => socket.destroy());
  socket.on('error', () => undefined).write(bytes);
  return socket;
}

/** What comes until the connection is closed. */
async function answerOf(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (part: Buffer) => (text += part.toString('latin1')));
  await new Promise((resolve) => socket.once('close', resolve));
  return text;
}
