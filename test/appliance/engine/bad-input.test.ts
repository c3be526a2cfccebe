import { once } from 'node:events';
import { connect } from 'node:tls';
import t, { type Test } from 'tap';

import { counterLayout, counterSlots, handOverReasons } from '../../../appliance/engine/native-counters.ts';
import { createLog } from '../../../common/runtime/log.ts';
import { putFile, seededBytes, testBundle, testFile, testToken } from '../../support/appliance/content.ts';
import { converse } from '../../support/appliance/conversation.ts';
import { rawExchange, until } from '../../support/appliance/raw-http.ts';
import {
  engineKinds,
  temporaryDirectory,
  testDisk,
  testEngine,
  type EngineKind,
} from '../../support/appliance/serving-box.ts';
import { makeCertificate } from '../../support/certificates.ts';

t.setTimeout(120_000);

async function makeBox(test: Test, kind: EngineKind, limits: { headersTimeoutMs?: number } = {}) {
  const { disk } = await testDisk(await temporaryDirectory(test));
  test.teardown(() => disk.close());
  const film = testFile(seededBytes(10_000, 1));
  const bundle = testBundle([film]);
  for (const file of [film, bundle]) await putFile(disk, file);
  const lines: string[] = [];
  const log = createLog({ name: 'box-1', format: 'json', write: (line) => lines.push(line) });
  const engine = await testEngine(test, { content: disk, kind, log, limits });
  const path = `/v1/${testToken(engine.key, { bundle: bundle.file })}/${film.file}.mp4`;
  const handOvers = (): number =>
    engine.counters
      .subarray(counterLayout.handOvers, counterLayout.handOvers + handOverReasons.length)
      .reduce((sum, count) => sum + count, 0);
  return { ...engine, path, lines, handOvers };
}

/** What is sent, and what RFC 9112 wants to happen. */
interface BadInput {
  /** `PATH` stands for a file that is held. Headers of a GET for it, unless it is the whole text. */
  readonly headers?: string;
  readonly text?: string;
  readonly status: number | 'none';
  /** Whether the connection ends with the answer; else the next request on it is answered. */
  readonly closes: boolean;
  /** What it is counted as, once. */
  readonly refused?: string;
}

const bad = { status: 400, closes: true, refused: 'BAD_REQUEST' } as const;
const long = { status: 431, closes: true, refused: 'HEADER_TOO_LARGE' } as const;
const many = Array.from({ length: 1000 }, (_, at) => `${at}-${at}`).join(',');

const inputs: Readonly<Record<string, BadInput>> = {
  'a header bomb of many lines': { headers: 'X: y\r\n'.repeat(20_000), ...long },
  'a header bomb of one line': { headers: `X: ${'y'.repeat(100_000)}\r\n`, ...long },
  'a target without end': { text: `GET /${'x'.repeat(100_000)} HTTP/1.1\r\nHost: b\r\n\r\n`, ...long },
  'a NUL in a value': { headers: 'X: a\0b\r\n', ...bad },
  'a NUL in a name': { headers: 'X\0: b\r\n', ...bad },
  'a NUL in the target': { text: 'GET /\0 HTTP/1.1\r\nHost: b\r\n\r\n', ...bad },
  'bare LF instead of CRLF': { text: 'GET PATH HTTP/1.1\nHost: b\n\n', ...bad },
  'one bare LF': { headers: 'X: a\nY: b\r\n', ...bad },
  'a bare CR': { headers: 'X: a\rb\r\n', ...bad },
  // RFC 9112 §5.2: reject, or replace by spaces.
  'obsolete folding': { headers: 'X: a\r\n b\r\n', ...bad },
  'a space before the colon': { headers: 'X : a\r\n', ...bad },
  'a line without a colon': { headers: 'no colon\r\n', ...bad },
  'a nameless header': { headers: ': a\r\n', ...bad },
  // RFC 9112 §3.2
  'no Host': { text: 'GET PATH HTTP/1.1\r\n\r\n', ...bad },
  'two Hosts': { headers: 'Host: c\r\n', ...bad },
  // §3.2.2: the absolute form must be accepted.
  'an absolute URI': { text: 'GET http://bPATH HTTP/1.1\r\nHost: b\r\n\r\n', status: 200, closes: false },
  // §2.2: an empty line before a request is ignored.
  'empty lines before a request': {
    text: '\r\n\r\nGET PATH HTTP/1.1\r\nHost: b\r\n\r\n',
    status: 200,
    closes: false,
  },
  // §6.1 and §6.3: what could be read in two ways is refused, and the connection with it.
  'two Content-Lengths': { headers: 'Content-Length: 3\r\nContent-Length: 4\r\n', ...bad },
  'a list as Content-Length': { headers: 'Content-Length: 3, 4\r\n', ...bad },
  'a signed Content-Length': { headers: 'Content-Length: +3\r\n', ...bad },
  'an overflowing Content-Length': { headers: `Content-Length: ${'9'.repeat(30)}\r\n`, ...bad },
  'Content-Length and chunked': { headers: 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', ...bad },
  'chunked, and not as the last coding': { headers: 'Transfer-Encoding: chunked, identity\r\n', ...bad },
  'an unknown coding': { headers: 'Transfer-Encoding: xchunked\r\n', ...bad },
  'HTTP/0.9': { text: 'GET PATH\r\n', ...bad },
  'an unknown version': { text: 'GET PATH HTTP/9.9\r\nHost: b\r\n\r\n', ...bad },
  "HTTP/2's preface": { text: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', ...bad },
  'an unknown method': { text: 'BREW / HTTP/1.1\r\nHost: b\r\n\r\n', ...bad },
  'a TLS handshake on a plain port': {
    text: `\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03${'r'.repeat(500)}`,
    ...bad,
  },
  'random bytes': { text: seededBytes(3000, 9).toString('latin1'), ...bad },
  // RFC 9110 §14.2: what is not understood is ignored, and a list may be answered whole.
  'a thousand ranges': { headers: `Range: bytes=${many}\r\n`, status: 200, closes: false },
  'a range beyond 64 bits': { headers: `Range: bytes=0-${'9'.repeat(40)}\r\n`, status: 206, closes: false },
  'a range from beyond 64 bits': {
    headers: `Range: bytes=${'9'.repeat(40)}-\r\n`,
    status: 416,
    closes: false,
  },
  'a suffix beyond 64 bits': { headers: `Range: bytes=-${'9'.repeat(40)}\r\n`, status: 206, closes: false },
  'a range of signs': { headers: 'Range: bytes=--5\r\n', status: 200, closes: false },
  'a head that is cut off': { text: 'GET PATH HTTP/1.1\r\nHost', ...bad },
};

const next = 'GET /healthz HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n';

for (const kind of engineKinds) {
  void t.test(
    `${kind}: bad input is refused as RFC 9112 says, counted once, and logged not at all`,
    async (t) => {
      const box = await makeBox(t, kind);
      for (const [name, input] of Object.entries(inputs)) {
        const { headers, status, closes, refused } = input;
        const text = input.text ?? `GET PATH HTTP/1.1\r\nHost: b\r\n${headers}\r\n`;
        const before = { refused: box.records.refused.length, handOvers: box.handOvers() };
        const isCutOff = name.includes('cut off');
        const bytes = Buffer.from(text.replace('PATH', box.path) + (isCutOff ? '' : next), 'latin1');
        const heard = await converse(box.port, { pieces: [bytes], ends: isCutOff });
        t.not(heard.ending, 'stuck', `${name}: the connection ends`);
        const [first, second] = [...heard.text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, code]) =>
          Number(code),
        );
        t.equal(first ?? 'none', status, `${name}: its status`);
        t.equal(second, closes ? undefined : 200, `${name}: the request behind it`);
        const isAnswered = status === 400 || status === 431;
        if (isAnswered) t.match(heard.text, /^connection: close\r$/im, `${name}: says that it closes`);
        t.strictSame(
          box.records.refused.slice(before.refused),
          refused === undefined ? [] : [refused],
          `${name}: counted`,
        );
        // What is behind it on the same connection is no second hand-over.
        if (kind === 'native') t.equal(box.handOvers() - before.handOvers, 1, `${name}: handed over once`);
      }
      t.strictSame(box.lines, [], 'nothing is logged');
    },
  );

  void t.test(`${kind}: a flood of garbage leaves counts, no log and no connection`, async (t) => {
    const box = await makeBox(t, kind);
    const rounds = 40;
    const each = 25;
    for (let round = 0; round < rounds; round++) {
      const garbage = Array.from({ length: each }, (_, at) => seededBytes(200, round * each + at));
      await Promise.all(garbage.map((bytes) => converse(box.port, { pieces: [bytes], ends: false })));
    }
    t.equal(box.records.refused.length, rounds * each);
    t.strictSame(box.lines, []);
    await until(() => box.engine.load().connections === 0);
  });
}

/** What is sent to a port that speaks TLS, in place of a handshake. */
const handshakes: Readonly<Record<string, { bytes: Buffer; ends: boolean }>> = {
  'plain HTTP': { bytes: Buffer.from('GET / HTTP/1.1\r\nHost: b\r\n\r\n'), ends: false },
  'random bytes': { bytes: seededBytes(3000, 5), ends: false },
  'a record of garbage': {
    bytes: Buffer.concat([Buffer.from('1603010200', 'hex'), seededBytes(512, 6)]),
    ends: false,
  },
  'a record that is too long': { bytes: Buffer.from(`160301ffff${'01'.repeat(100)}`, 'hex'), ends: false },
  'an alert': { bytes: Buffer.from('15030100020228', 'hex'), ends: false },
  'SSL 2': { bytes: Buffer.from('802e0100020015000000100100800700c0', 'hex'), ends: true },
  'a handshake that is cut off': { bytes: Buffer.from('16030100c8010000c40303', 'hex'), ends: true },
  'nothing at all': { bytes: Buffer.alloc(0), ends: true },
};

for (const kind of engineKinds) {
  void t.test(
    `${kind}: what is no TLS handshake ends its connection, and is logged not at all`,
    async (t) => {
      const box = await makeSecureBox(t, kind);
      for (const [name, { bytes, ends }] of Object.entries(handshakes)) {
        const before = box.tlsFailed();
        const heard = await converse(box.port, { pieces: bytes.length === 0 ? [] : [bytes], ends });
        t.not(heard.ending, 'stuck', `${name}: the connection ends`);
        t.notMatch(heard.text, 'HTTP/', `${name}: nothing is said in plain text`);
        // Who says nothing has not failed.
        if (!ends) t.equal(box.tlsFailed() - before, 1, `${name}: counted once`);
      }
      t.equal(
        (await converse(box.port, { pieces: [Buffer.from(next)], ends: false }, true)).ending,
        'closed',
      );
      t.strictSame(box.lines, [], 'nothing is logged');
      await until(() => box.engine.load().connections === 0);
    },
  );

  void t.test(`${kind}: a slow head is told so, who asks nothing is cut without a word`, async (t) => {
    const { port } = await makeBox(t, kind, { headersTimeoutMs: 300 });
    const [slow, silent] = await Promise.all(
      ['GET / HTTP/1.1\r\n', ''].map((text) => rawExchange(port, text)),
    );
    t.match(slow?.toString(), /^HTTP\/1\.1 408 /);
    t.equal(silent?.toString(), '');
  });

  void t.test(`${kind}: renegotiation is refused, and a handshake that never ends is cut`, async (t) => {
    const box = await makeSecureBox(t, kind, { headersTimeoutMs: 1000 });
    const at = { port: box.port, host: '127.0.0.1', rejectUnauthorized: false };
    const socket = connect({ ...at, maxVersion: 'TLSv1.2' });
    await once(socket, 'secureConnect');
    const refused = await new Promise<Error | null>((resolve) => {
      socket.once('error', resolve);
      socket.once('close', () => {
        resolve(new Error('closed'));
      });
      socket.renegotiate({ rejectUnauthorized: false }, resolve);
    });
    t.ok(refused, 'a second handshake is not made');
    socket.destroy();
    const silent = await converse(box.port, { pieces: [Buffer.from('1603', 'hex')], ends: false });
    t.not(silent.ending, 'stuck');
    t.strictSame(box.lines, []);
  });
}

async function makeSecureBox(test: Test, kind: EngineKind, limits: { headersTimeoutMs?: number } = {}) {
  const box = await makeBox(test, kind, limits);
  const directory = await temporaryDirectory(test);
  const made = await makeCertificate(directory, { file: 'box', hosts: ['box'] });
  box.engine.setTls({ certificates: [{ names: ['box'], chainPem: made.cert, keyPem: made.key }], h2: false });
  const { handshakes } = box.records;
  // By whichever engine made it.
  const tlsFailed = (): number =>
    (box.counters[counterSlots.indexOf('tlsFailed')] ?? 0) +
    handshakes.filter((outcome) => outcome === 'failed').length;
  return { ...box, tlsFailed };
}
