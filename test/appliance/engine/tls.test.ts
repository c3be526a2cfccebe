import { once } from 'node:events';
import { Agent } from 'node:https';
import { connect, type Socket } from 'node:net';
import { randomBytes } from 'node:crypto';
import t, { type Test } from 'tap';

import type { EngineLimits, EngineTls } from '../../../appliance/engine/engine.ts';
import { putFile, seededBytes, testBundle, testFile, testToken } from '../../support/appliance/content.ts';
import {
  engineKinds,
  temporaryDirectory,
  testDisk,
  testEngine,
  type EngineKind,
} from '../../support/appliance/serving-box.ts';
import { secureConnect, secureGet, visit } from '../../support/appliance/tls-client.ts';
import { makeCertificate, openssl, type TestCertificate } from '../../support/certificates.ts';

const names = ['one.example.org', 'two.example.org', '*.example.org'];
const directory = await temporaryDirectory(t);
const authority = await makeCertificate(directory, { file: 'ca', hosts: ['ca'], isAuthority: true });
const certificates = await Promise.all(
  names.map((name, index) =>
    makeCertificate(directory, {
      file: String(index),
      hosts: [name],
      issuer: authority,
      ...(index === 1 && { rsaBits: 2048 }),
    }),
  ),
);
const renewed = await makeCertificate(directory, {
  file: 'new',
  hosts: ['one.example.org', 'renewed.example.org'],
  issuer: authority,
});

function tlsOf(those: readonly TestCertificate[], namesOf: readonly string[], h2 = false): EngineTls {
  return {
    certificates: those.map(({ cert, key }, at) => ({
      names: [namesOf[at] ?? ''],
      chainPem: cert,
      keyPem: key,
    })),
    h2,
  };
}

async function makeBox(
  test: Test,
  kind: EngineKind,
  options: { h2?: boolean; keys?: Buffer[]; limits?: Partial<EngineLimits> } = {},
) {
  const { h2 = false, keys = [randomBytes(80)], limits = {} } = options;
  const { disk } = await testDisk(await temporaryDirectory(test));
  test.teardown(() => disk.close());
  const film = testFile(seededBytes(1_500_000, 1));
  const bundle = testBundle([film]);
  for (const file of [film, bundle]) await putFile(disk, file);
  const box = await testEngine(test, { content: disk, kind, limits });
  box.engine.setTicketKeys(keys);
  box.engine.setTls(tlsOf(certificates, names, h2));
  const token = testToken(box.key, { bundle: bundle.file });
  const path = `/v1/${token}/${film.file}.mp4`;
  const client = { ca: authority.cert, servername: 'one.example.org' };
  return { ...box, film, path, client, at: { ...client, port: box.port, path } };
}

/** A reset is an end like any other. */
function closed(socket: Socket): Promise<void> {
  socket.on('error', () => undefined);
  socket.resume();
  return new Promise((resolve) => {
    socket.once('close', () => {
      resolve();
    });
  });
}

type Box = Awaited<ReturnType<typeof makeBox>>;

function both(name: string, body: (test: Test, kind: EngineKind) => Promise<void>): void {
  for (const kind of engineKinds) void t.test(`${kind}: ${name}`, (test) => body(test, kind));
}

both('ranges come whole over TLS 1.2 and 1.3', async (test, kind) => {
  const { at, film } = await makeBox(test, kind);
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const versions = { minVersion: version, maxVersion: version };
    const whole = await secureGet({ ...at, ...versions });
    test.equal(whole.status, 200);
    test.ok(whole.body.equals(film.bytes));
    const part = await secureGet({ ...at, ...versions, headers: { range: 'bytes=1000-700000' } });
    test.equal(part.status, 206);
    test.ok(part.body.equals(film.bytes.subarray(1000, 700_001)));
    // Not for the addon: several ranges.
    const several = await secureGet({ ...at, ...versions, headers: { range: 'bytes=0-1,5-6' } });
    test.ok(several.body.equals(film.bytes));
  }
});

both('old versions and ciphers are refused; what is new is preferred', async (test, kind) => {
  const { port, client } = await makeBox(test, kind);
  const at = ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', 'one.example.org'];
  for (const version of ['-tls1', '-tls1_1']) {
    const old = await openssl([...at, version, '-cipher', 'ALL:@SECLEVEL=0']);
    test.notOk(old.isOk);
    test.match(old.output, /alert protocol version/);
  }
  const weak = await openssl([...at, '-tls1_2', '-cipher', 'AES128-SHA:ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0']);
  test.match(weak.output, /handshake failure/);
  const good = await openssl([...at, '-tls1_2']);
  test.match(good.output, /Cipher is ECDHE-ECDSA-AES128-GCM-SHA256/);
  test.match(good.output, /Compression: NONE/);
  const newest = await openssl(at);
  test.match(newest.output, /Cipher is TLS_AES_128_GCM_SHA256/);
  test.match(newest.output, /Server Temp Key: X25519/);
  // Both certificates of the chain come.
  test.equal((await openssl([...at, '-showcerts'])).output.match(/BEGIN CERTIFICATE/g)?.length, 2);
  // No renegotiation: `R` asks for one.
  const again = await openssl([...at, '-tls1_2'], 'R\n');
  test.match(again.output, /no renegotiation/);
  test.equal((await secureConnect(port, client)).getProtocol(), 'TLSv1.3');
});

both(
  'the certificate follows the name: exact, one label by a wildcard, else the first',
  async (test, kind) => {
    const { port, path } = await makeBox(test, kind);
    const shown = async (servername: string): Promise<string> =>
      (await visit(port, path, { rejectUnauthorized: false, servername })).commonName;
    test.equal(await shown('one.example.org'), 'one.example.org');
    test.equal(await shown('Two.Example.org'), 'two.example.org');
    test.equal(await shown('three.example.org'), '*.example.org');
    test.equal(await shown('a.b.example.org'), 'one.example.org');
    test.equal(await shown('elsewhere.net'), 'one.example.org');
    test.equal(await shown(''), 'one.example.org');
  },
);

both(
  'ALPN: http/1.1, h2 only where it is asked for, an alert where nothing is common',
  async (test, kind) => {
    const { port, client, engine } = await makeBox(test, kind);
    const agreed = async (ALPNProtocols?: string[]): Promise<string | false | null> => {
      const socket = await secureConnect(port, { ...client, ...(ALPNProtocols && { ALPNProtocols }) });
      socket.destroy();
      return socket.alpnProtocol;
    };
    const alert = { code: 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL' };
    test.equal(await agreed(['h2', 'http/1.1']), 'http/1.1');
    test.equal(await agreed(), false);
    await test.rejects(agreed(['h2']), alert);
    engine.setTls(tlsOf(certificates, names, true));
    test.equal(await agreed(['http/1.1', 'h2']), 'h2');
    test.equal(await agreed(['http/1.1']), 'http/1.1');
    await test.rejects(agreed(['h3']), alert);
  },
);

both(
  'a ticket is good at every process that has the keys, and a key that is gone costs a handshake',
  async (test, kind) => {
    const [a, b, c] = [randomBytes(80), randomBytes(80), randomBytes(80)];
    const one = await makeBox(test, kind, { keys: [a] });
    const other = await makeBox(test, kind, { keys: [a] });
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const options = { ...one.client, minVersion: version, maxVersion: version };
      one.engine.setTicketKeys([a]);
      const come = async (box: Box, session?: Buffer) =>
        visit(box.port, box.path, { ...options, ...(session && { session }) });
      const first = await come(one);
      test.notOk(first.isResumed);
      test.ok((await come(one, first.session)).isResumed, `${version}: the same process`);
      test.ok((await come(other, first.session)).isResumed, `${version}: another one`);
      one.engine.setTicketKeys([b, a]);
      const rotated = await come(one, first.session);
      // Node has room for one key: see tls-server.ts.
      test.equal(rotated.isResumed, kind === 'native', `${version}: the key before`);
      test.ok((await come(one, rotated.session)).isResumed, `${version}: it brought a new ticket`);
      one.engine.setTicketKeys([c, b]);
      const late = await come(one, first.session);
      test.notOk(late.isResumed);
      // New certificates are no reason to refuse an old ticket.
      one.engine.setTls(tlsOf([renewed], ['one.example.org']));
      test.ok((await come(one, late.session)).isResumed, `${version}: after a reload`);
      one.engine.setTls(tlsOf(certificates, names));
    }
  },
);

both('certificates are replaced under load, and no connection notices', async (test, kind) => {
  // One connection says nothing while the others are served, however long that takes.
  const limits = { headersTimeoutMs: 120_000, keepAliveTimeoutMs: 120_000, idleTimeoutMs: 120_000 };
  const { at, client, film, engine, port, path } = await makeBox(test, kind, { limits });
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  test.teardown(() => {
    agent.destroy();
  });
  let isOver = false;
  let answers = 0;
  let connections = 0;
  const viewer = async (seed: number): Promise<void> => {
    for (let round = 0; !isOver; round++) {
      const first = (seed * 7919 + round * 104_729) % 1_000_000;
      const range = `bytes=${first}-${first + 300_000}`;
      // Half of them with a handshake of their own.
      const isKept = seed % 2 === 0;
      if (!isKept) connections++;
      const { status, body } = await secureGet({ ...at, agent: isKept ? agent : false, headers: { range } });
      if (status !== 206 || !body.equals(film.bytes.subarray(first, first + 300_001)))
        throw new Error(`answer ${answers}: ${status}`);
      answers++;
    }
  };
  const kept = await secureConnect(port, client);
  const viewers = Array.from({ length: 8 }, (_, seed) => viewer(seed));
  for (let round = 0; round < 30; round++) {
    const before = answers;
    engine.setTls(round % 2 === 0 ? tlsOf([renewed], ['one.example.org']) : tlsOf(certificates, names));
    engine.setTicketKeys([randomBytes(80)]);
    while (answers < before + 8)
      await Promise.race([...viewers, new Promise((resolve) => setTimeout(resolve, 5))]);
  }
  engine.setTls(tlsOf([renewed], ['one.example.org']));
  test.equal((await visit(port, path, client)).commonName, 'one.example.org');
  const seen = await secureConnect(port, client);
  test.match(seen.getPeerCertificate().subjectaltname, /renewed\.example\.org/);
  seen.destroy();
  isOver = true;
  await Promise.all(viewers);
  test.ok(connections > 30);
  // Open since before the first of them.
  kept.write(`GET ${path} HTTP/1.1\r\nhost: box\r\nrange: bytes=0-0\r\nconnection: close\r\n\r\n`);
  const [answer] = (await once(kept, 'data')) as [Buffer];
  test.match(answer.toString('latin1'), /^HTTP\/1\.1 206 /);
  kept.destroy();
});

both('what is not TLS is turned away, and nobody else notices', async (test, kind) => {
  const { port, at } = await makeBox(test, kind);
  const sent = [
    Buffer.from('GET / HTTP/1.1\r\nhost: box\r\n\r\n'),
    Buffer.from([0x16, 3, 1, 0, 5, 1, 0, 0, 1, 3]),
    randomBytes(70_000),
    Buffer.alloc(70_000),
  ];
  for (const bytes of sent) {
    const socket = connect(port, '127.0.0.1');
    socket.write(bytes);
    await closed(socket);
  }
  // Hellos that end anywhere.
  for (let count = 0; count < 30; count++) {
    const socket = connect(port, '127.0.0.1');
    socket.end(Buffer.concat([Buffer.from([0x16, 3, 1, 1, 0, 1, 0, 0, 252, 3, 3]), randomBytes(count)]));
    await closed(socket);
  }
  test.equal((await secureGet({ ...at, headers: { range: 'bytes=0-9' } })).status, 206);
});

both('a handshake that does not end is cut; closing waits for none', async (test, kind) => {
  const { port, engine } = await makeBox(test, kind);
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write(Buffer.from([0x16, 3, 1]));
  while (engine.load().connections === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const startedMs = performance.now();
  await Promise.all([engine.close(4000), closed(socket)]);
  test.ok(performance.now() - startedMs < 3000);
});

both('a client that has closed its side gets all of the last answer', async (test, kind) => {
  const { port, client, path, film } = await makeBox(test, kind);
  for (let round = 0; round < 10; round++) {
    const socket = await secureConnect(port, { ...client, allowHalfOpen: true });
    const request = `GET ${path} HTTP/1.1\r\nhost: box\r\nconnection: close\r\n\r\n`;
    let bytes = 0;
    socket.on('data', (part: Buffer) => (bytes += part.length));
    // In two records: the end comes while the answer is on its way.
    socket.write(request.slice(0, 1));
    await new Promise((resolve) => setTimeout(resolve, 0));
    socket.end(request.slice(1));
    await closed(socket);
    test.ok(bytes > film.bytes.length);
  }
});
