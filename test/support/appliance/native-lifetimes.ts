// Ends the addon's server at bad moments, one by argument. A process of its own, since what goes wrong here ends it.
import { openSync, truncateSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { BoundSocket, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as tlsConnect } from 'node:tls';

import {
  connectionCountBytes,
  type NativeCallbacks,
  type NativeServer,
} from '../../../appliance/engine/native-addon.ts';
import { counterLayout } from '../../../appliance/engine/native-counters.ts';
import { makeCertificate } from '../certificates.ts';
import { requireAddon, testLimits } from './serving-box.ts';

const addon = requireAddon();
const directory = await mkdtemp(join(tmpdir(), 'nearcast-lifetimes-'));
const file = 'a'.repeat(64);
const canned = Buffer.from('HTTP/1.1 429 Too Many Requests\r\n\r\n');
const line = Buffer.from('x-a: b\r\n');

function ignore(): void {
  // Nobody listens.
}

function createServer(callbacks: Partial<NativeCallbacks> = {}): { server: NativeServer; port: number } {
  const server = addon.createServer({
    ...testLimits,
    turnBytes: 2 ** 21,
    filesMax: 8,
    grantsMax: 8,
    recordsMax: 8,
    readThreadsPerDisk: 1,
    readMemoryBytes: 2 ** 24,
    connectionCounts: Buffer.alloc(connectionCountBytes),
    worker: 0,
    refusals: [canned, canned, canned],
    timing: ['a: ', '\r\nb: ', '\r\n'],
    counters: new Float64Array(counterLayout.length),
    park: ignore,
    handOver: ignore,
    handOverStream: ignore,
    streamData: ignore,
    streamDrained: ignore,
    streamClosed: ignore,
    fileFailed: ignore,
    recordsWaiting: ignore,
    ...callbacks,
  });
  const socket = new BoundSocket({ host: '127.0.0.1' });
  const [, port] = server.listen(socket.fd());
  socket.close();
  return { server, port };
}

async function closed(socket: Socket): Promise<void> {
  socket.on('error', ignore);
  await new Promise((resolve) => socket.once('close', resolve));
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function whenParked(end: (server: NativeServer) => void): Promise<void> {
  const { server, port } = createServer({
    park: () => {
      end(server);
    },
  });
  const socket = connect(port, '127.0.0.1');
  socket.write(`GET /v1/t/${file}.mp4 HTTP/1.1\r\nhost: a\r\n\r\n`);
  await closed(socket);
}

const scenes: Record<string, () => Promise<void>> = {
  idle: async () => {
    for (let i = 0; i < 20; i++) {
      createServer().server.destroy();
      await sleep(2);
    }
  },

  'in-callback': () =>
    whenParked((server) => {
      server.destroy();
    }),

  'in-microtask': () =>
    whenParked(
      (server) =>
        void Promise.resolve().then(() => {
          server.destroy();
        }),
    ),

  // A client that has stopped reading, in the middle of what was read from a disk for it.
  'lent-memory': async () => {
    const { server, port } = createServer();
    const path = join(directory, 'cold');
    const sizeBytes = 2 ** 25;
    writeFileSync(path, '');
    // A hole is not in memory.
    truncateSync(path, sizeBytes);
    const fd = openSync(path, 'r');
    server.grant({ token: 't', scope: 'fill', expiresAtS: 2 ** 40, verifyAgainInMs: 2 ** 40 });
    server.open({
      file,
      ext: 'mp4',
      fd,
      sizeBytes,
      etag: '"a"',
      whole: line,
      part: line,
      notModified: line,
      disk: 1,
    });
    const socket = connect(port, '127.0.0.1');
    socket.pause();
    socket.write(`GET /v1/t/${file}.mp4 HTTP/1.1\r\nhost: a\r\n\r\n`);
    await sleep(500);
    server.destroy();
    socket.resume();
    await closed(socket);
  },

  // The connection that is running is destroyed, and the server asked to tidy up, before it has returned.
  'stream-in-callback': async () => {
    const { server, port } = createServer({
      handOverStream: ([id]) => {
        server.streamRead(id, true);
      },
      streamData: (id) => {
        server.streamDestroy(id);
        server.closeIdle();
      },
      streamClosed: () =>
        setImmediate(() => {
          server.destroy();
        }),
    });
    const { cert, key } = await makeCertificate(directory, { file: 'box', hosts: ['box.example.org'] });
    server.setTls({
      certificates: [{ names: [], chainPem: cert, keyPem: key }],
      ticketKeys: [Buffer.alloc(80, 1)],
      h2: false,
    });
    const socket = tlsConnect({ port, host: '127.0.0.1', rejectUnauthorized: false });
    socket.write('POST / HTTP/1.1\r\n\r\n');
    socket.once('secureConnect', () => {
      const more = setInterval(() => socket.write('x'.repeat(100)), 20);
      socket.once('close', () => {
        clearInterval(more);
      });
    });
    await closed(socket);
  },
};

await scenes[process.argv[2] ?? '']?.();
await rm(directory, { recursive: true });
process.stdout.write('ended well\n');
