import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import t from 'tap';
import { startDns, type DnsStart } from '../../support/dns-server.ts';
import { queryPacket, readReply } from '../../support/dns-zones.ts';

const ZONE = 'steer.nearcast.test';
const start = (more: DnsStart = {}) => startDns({ udp: 'dgram', tcpConnectionsMax: 8, ...more });

const framed = (packet: Buffer): Buffer => {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(packet.length);
  return Buffer.concat([length, packet]);
};

/** Reads `count` replies off a TCP connection. */
async function readReplies(socket: Socket, count: number) {
  let bytes = Buffer.alloc(0);
  const replies = [];
  while (replies.length < count) {
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    bytes = Buffer.concat([bytes, chunk]);
    while (bytes.length >= 2 && bytes.length >= 2 + bytes.readUInt16BE(0)) {
      const end = 2 + bytes.readUInt16BE(0);
      replies.push(readReply(bytes.subarray(2, end)));
      bytes = bytes.subarray(end);
    }
  }
  return replies;
}

t.test('TCP: pipelined queries, cut anywhere, are answered in their order', async (t) => {
  const server = await start();
  t.teardown(() => server.close());
  const socket = connect(server.port, '127.0.0.1');
  const stream = Buffer.concat(
    Array.from({ length: 20 }, (_, id) => framed(queryPacket(`play.${ZONE}`, { id, subnets: [] }))),
  );
  const replies = readReplies(socket, 20);
  for (let at = 0; at < stream.length; at += 33) socket.write(stream.subarray(at, at + 33));
  t.strictSame(
    (await replies).map((reply) => reply.id),
    Array.from({ length: 20 }, (_, id) => id),
  );
  socket.destroy();
});

t.test('TCP: idlers are let go', async (t) => {
  const server = await start({ tcpIdleMs: 100 });
  t.teardown(() => server.close());
  await once(connect(server.port, '127.0.0.1').resume(), 'close');
});

t.test('TCP: when one too many comes, who has asked nothing for the longest goes', async (t) => {
  const server = await start({ tcpConnectionsMax: 2 });
  t.teardown(() => server.close());
  const query = framed(queryPacket(`play.${ZONE}`));
  const first = connect(server.port, '127.0.0.1');
  await once(first, 'connect');
  const idler = connect(server.port, '127.0.0.1').resume();
  const gone = once(idler, 'close');
  await once(idler, 'connect');
  first.write(query);
  await readReplies(first, 1);
  const third = connect(server.port, '127.0.0.1');
  third.write(query);
  t.equal((await readReplies(third, 1))[0]?.rcode, 'NOERROR');
  await gone;
  first.write(query);
  t.equal((await readReplies(first, 1))[0]?.rcode, 'NOERROR', 'who asks stays');
  first.destroy();
  third.destroy();
});

/** Holds connections that ask nothing, in a process of its own: one process may not have descriptors for both ends. */
const idlers = `
  const net = require('node:net');
  let open = 0;
  for (let at = 0; at < 10_500; at++)
    net.connect(Number(process.argv[1]), '127.0.0.' + (1 + (at % 4)), () => {
      if (++open === 10_500) process.send(open);
    }).on('error', () => undefined).resume();
`;

t.test('TCP: 10,000 idlers are held and no more, and who asks is answered', async (t) => {
  const server = await start({ host: '0.0.0.0', tcpConnectionsMax: 10_000, tcpIdleMs: 60_000 });
  t.teardown(() => server.close());
  const child = spawn(process.execPath, ['-e', idlers, String(server.port)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child, 'message');
  t.ok(readdirSync('/proc/self/fd').length < 10_200);
  for (let at = 0; at < 3; at++) {
    const socket = connect(server.port, '127.0.0.1');
    socket.write(framed(queryPacket(`play.${ZONE}`)));
    t.equal((await readReplies(socket, 1))[0]?.rcode, 'NOERROR');
    socket.destroy();
  }
});

t.test('TCP: who announces more than a query can be is let go before it is kept', async (t) => {
  const server = await start();
  t.teardown(() => server.close());
  const socket = connect(server.port, '127.0.0.1');
  socket.on('error', () => undefined).resume();
  socket.write(Buffer.from([0xff, 0xff, 0]));
  // The idle limit is far away: it is the announced length that ends it.
  const startedMs = performance.now();
  await once(socket, 'close');
  t.ok(performance.now() - startedMs < 4000);
});

t.test('a port that is taken is said', async (t) => {
  const server = await start();
  t.teardown(() => server.close());
  const again = start({ port: server.port });
  await t.rejects(again, { code: 'EADDRINUSE' });
});
