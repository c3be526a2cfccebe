import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { createServer as createTlsServer, getCACertificates, setDefaultCACertificates } from 'node:tls';
import fc from 'fast-check';
import t, { type Test } from 'tap';

import { parseAnswerHead } from '../../../appliance/fill/http-head.ts';
import { Pacer } from '../../../appliance/fill/pacer.ts';
import { SourceClient } from '../../../appliance/fill/source-client.ts';
import { Transfer } from '../../../appliance/fill/transfer.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import { seededBytes, testFile } from '../../support/appliance/content.ts';
import { temporaryDirectory, testDisk } from '../../support/appliance/serving-box.ts';
import { makeCertificate } from '../../support/certificates.ts';

const mib = 1024 * 1024;
const film = testFile(seededBytes(2 * mib + 5, 1));
const never = new AbortController().signal;

/** What a source does with a request on one of its connections, the how manieth of all it is. */
type Answer = (socket: Socket, request: { path: string; range: string | undefined; number: number }) => void;

/** A source whose every byte the test decides. */
async function startRawSource(test: Test, answer: Answer, tls?: { cert: string; key: string }) {
  const sockets = new Set<Socket>();
  let number = 0;
  const serve = (socket: Socket): void => {
    sockets.add(socket);
    let text = '';
    socket.on('error', () => undefined);
    socket.on('data', (part: Buffer) => {
      text += part.toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      if (end < 0) return;
      const [, path = ''] = /^GET (\S+) HTTP\/1\.1\r\n/.exec(text) ?? [];
      const range = /^range: (.*)$/im.exec(text.slice(0, end))?.[1];
      text = text.slice(end + 4);
      answer(socket, { path, range, number: ++number });
    });
  };
  const server = tls === undefined ? createServer(serve) : createTlsServer(tls, serve);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  test.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const base = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}/v1/token/`;
  const way = { kind: 'peer', node: 'raw', base, waitMs: 0 } as const;
  return { way, sockets };
}

async function startClient(
  test: Test,
  { stallMs = 2000, sourceBytesPerSecond }: { stallMs?: number; sourceBytesPerSecond?: number } = {},
) {
  const clock = createSystemClock();
  const pacer = new Pacer({ clock, level: () => 'normal', sourceBytesPerSecond });
  const client = new SourceClient({ pacer, clock, stallMs });
  const { disk } = await testDisk(await temporaryDirectory(test));
  const partial = await disk.begin(film.file, film.descriptor);
  test.teardown(async () => {
    await client.close();
    await disk.close();
  });
  const fetch = async (way: Transfer['way'], first = 0, last = 2): Promise<Transfer> => {
    const source = { bytesPerSecond: undefined, nowMs: () => clock.monotonicMs() };
    const transfer = new Transfer({ first, last }, way, source);
    await client.chunks({ ext: 'mp4', partial, transfer, onChunk: () => undefined }, never);
    return transfer;
  };
  return { client, partial, fetch };
}

const rangeOf = (range: string | undefined): [number, number] => {
  const [, start = '0', end = '0'] = /bytes=(\d+)-(\d+)/.exec(range ?? '') ?? [];
  return [Number(start), Number(end)];
};

function headOf(range: string | undefined, more = ''): string {
  const [start, end] = rangeOf(range);
  return `HTTP/1.1 206 Partial Content\r\nContent-Length: ${end + 1 - start}\r\nContent-Range: bytes ${start}-${end}/${film.bytes.length}\r\n${more}\r\n`;
}

function sendPart(socket: Socket, range: string | undefined, more = ''): void {
  const [start, end] = rangeOf(range);
  socket.write(headOf(range, more), 'latin1');
  socket.write(film.bytes.subarray(start, end + 1));
}

void t.test('one connection serves one request after the other, the chunk list among them', async (test) => {
  const source = await startRawSource(test, (socket, { path, range }) => {
    if (!path.endsWith('.chunks')) return sendPart(socket, range);
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${film.descriptor.length}\r\n\r\n`);
    socket.write(film.descriptor);
  });
  const { client, fetch, partial } = await startClient(test);
  const from = { way: source.way, file: film.file, sizeBytes: film.bytes.length };
  test.ok((await client.descriptor(from, never)).descriptor.equals(film.descriptor));
  await fetch(source.way, 0, 0);
  await fetch(source.way, 1, 2);
  test.ok(partial.isWhole());
  test.equal(source.sockets.size, 1);
});

void t.test('an answer may come in pieces of any size, and an interim one before it', async (test) => {
  const source = await startRawSource(test, (socket, { range }) => {
    const [start, end] = rangeOf(range);
    const interim = 'HTTP/1.1 103 Early Hints\r\nlink: </>; rel=preload\r\n\r\n';
    const bytes = Buffer.concat([Buffer.from(interim + headOf(range)), film.bytes.subarray(start, end + 1)]);
    const sendFrom = (at: number): void => {
      const length = at < 400 ? 1 : 70_001;
      if (at < bytes.length)
        socket.write(bytes.subarray(at, at + length), () => setImmediate(sendFrom, at + length));
    };
    socket.setNoDelay(true);
    sendFrom(0);
  });
  const { fetch, partial } = await startClient(test);
  await fetch(source.way);
  test.ok(partial.isWhole());
});

void t.test('a connection that the source has closed meanwhile is not missed', async (test) => {
  const source = await startRawSource(test, (socket, { range, number }) => {
    // As a server does whose time for idle connections is over at the moment when the next request comes.
    if (number === 2) socket.destroy();
    else sendPart(socket, range);
  });
  const { fetch, partial } = await startClient(test);
  await fetch(source.way, 0, 0);
  await fetch(source.way, 1, 2);
  test.ok(partial.isWhole());
  test.equal(source.sockets.size, 2);
});

void t.test('a source that asks for it is asked over a new connection each time', async (test) => {
  const source = await startRawSource(test, (socket, { range }) =>
    sendPart(socket, range, 'Connection: close\r\n'),
  );
  const { fetch, partial } = await startClient(test);
  await fetch(source.way, 0, 0);
  await fetch(source.way, 1, 2);
  test.ok(partial.isWhole());
  test.equal(source.sockets.size, 2);
});

void t.test('what is no answer to the question fails, and nothing of it is believed', async (test) => {
  const wrong: Record<string, (range: string | undefined) => string> = {
    'in pieces of which nobody says how many': (range) =>
      headOf(range).replace(/Content-Length: \d+/, 'Transfer-Encoding: chunked'),
    'to the end of the connection': (range) => headOf(range).replace(/Content-Length: \d+\r\n/, ''),
    'of two lengths': (range) => headOf(range, 'Content-Length: 5\r\n'),
    'of another length': (range) => headOf(range).replace(/Content-Length: \d+/, 'Content-Length: 5'),
    'of another range': (range) => headOf(range).replace('bytes 0-', 'bytes 1-'),
    'no HTTP': () => 'SSH-2.0-OpenSSH_9.6\r\n\r\n',
    'too long a head': (range) => headOf(range, `x: ${'y'.repeat(20_000)}\r\n`),
    'a folded header': (range) => headOf(range, 'x: y\r\n z\r\n'),
    'a redirect': () => 'HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n',
  };
  for (const [name, head] of Object.entries(wrong)) {
    const source = await startRawSource(test, (socket, { range }) => {
      socket.write(head(range));
      socket.write(film.bytes.subarray(0, 1000));
    });
    const { fetch, partial } = await startClient(test, { stallMs: 300 });
    await test.rejects(fetch(source.way), { name: 'SourceError' }, name);
    test.equal(partial.chunks.size, 0);
  }
});

void t.test('more than was asked for ends the connection, not the download', async (test) => {
  const source = await startRawSource(test, (socket, { range }) => {
    sendPart(socket, range);
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwrong');
  });
  const { fetch, partial } = await startClient(test);
  await fetch(source.way, 0, 0);
  await fetch(source.way, 1, 2);
  test.ok(partial.isWhole());
});

void t.test('a source that sends a byte now and then has stalled, whatever it sends of', async (test) => {
  const drip = (socket: Socket, before: string, bytes: string): void => {
    socket.write(before);
    const timer = setInterval(() => socket.write(bytes), 20);
    socket.once('close', () => {
      clearInterval(timer);
    });
  };
  const drips: Record<string, (socket: Socket, range: string | undefined) => void> = {
    'of a head': (socket) => {
      drip(socket, 'HTTP/1.1 206 Partial Content\r\nx: ', 'y');
    },
    'of interim answers': (socket) => {
      drip(socket, '', 'HTTP/1.1 103 Early Hints\r\n\r\n');
    },
    'of a chunk': (socket, range) => {
      const [start, end] = rangeOf(range);
      const head = `HTTP/1.1 206 P\r\ncontent-length: ${end + 1 - start}\r\ncontent-range: bytes ${start}-${end}/${film.bytes.length}\r\n\r\n`;
      drip(socket, head, 'x');
    },
  };
  for (const [what, answer] of Object.entries(drips)) {
    const source = await startRawSource(test, (socket, { range }) => {
      answer(socket, range);
    });
    const { fetch } = await startClient(test, { stallMs: 100 });
    await test.rejects(fetch(source.way), { name: 'SourceError', message: 'it has stalled' }, what);
  }
  const source = await startRawSource(test, (socket) => {
    drip(socket, `HTTP/1.1 200 OK\r\ncontent-length: ${film.descriptor.length}\r\n\r\n`, 'x');
  });
  const { client } = await startClient(test, { stallMs: 100 });
  const list = client.descriptor({ way: source.way, file: film.file, sizeBytes: film.bytes.length }, never);
  await test.rejects(list, { name: 'SourceError', message: 'it has stalled' }, 'of a chunk list');
});

void t.test('a source that is slow because it is held up has not stalled', async (test) => {
  const source = await startRawSource(test, (socket, { range }) => sendPart(socket, range));
  const { fetch, partial } = await startClient(test, { stallMs: 150, sourceBytesPerSecond: 4 * mib });
  await fetch(source.way);
  test.ok(partial.isWhole());
});

void t.test('over TLS, by a certificate that is trusted and no other', async (test) => {
  const directory = await temporaryDirectory(test);
  const certificate = await makeCertificate(directory, { file: 'source', hosts: ['127.0.0.1'] });
  const source = await startRawSource(test, (socket, { range }) => sendPart(socket, range), certificate);
  const { fetch, partial } = await startClient(test);
  await test.rejects(fetch(source.way), { name: 'SourceError', message: /self-signed/ });
  const before = getCACertificates('default');
  setDefaultCACertificates([...before, certificate.cert]);
  test.teardown(() => {
    setDefaultCACertificates(before);
  });
  await fetch(source.way, 0, 1);
  await fetch(source.way, 2, 2);
  test.ok(partial.isWhole());
});

void t.test('a head is read as it was written, or refused', async (test) => {
  const token = fc
    .stringMatching(/^[a-z][a-z-]{0,12}$/)
    .filter((name) => name !== 'content-length' && name !== 'transfer-encoding' && name !== 'connection');
  const value = fc.stringMatching(/^[!-~]([ -~]{0,20}[!-~])?$/);
  fc.assert(
    fc.property(
      fc.integer({ min: 100, max: 999 }),
      fc.dictionary(token, value),
      fc.option(fc.nat()),
      (status, fields, length) => {
        const lines = Object.entries({
          ...fields,
          ...(length !== null && { 'Content-Length': `${length}` }),
        });
        const head = parseAnswerHead(
          [`HTTP/1.1 ${status} Any`, ...lines.map(([name, text]) => `${name}:  ${text}\t`)].join('\r\n'),
        );
        for (const [name, text] of Object.entries(fields)) if (head?.headers.get(name) !== text) return false;
        return (
          head?.status === status &&
          head.lengthBytes === (length ?? undefined) &&
          head.isKept === (length !== null)
        );
      },
    ),
  );
  fc.assert(
    fc.property(
      fc.string(),
      (text) =>
        (parseAnswerHead(text) === undefined) === !/^HTTP\/1\.[01] \d{3}( .*)?$/.test(text) ||
        text.includes('\r\n'),
    ),
  );
  test.end();
});
