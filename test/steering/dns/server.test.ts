import { execFile, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { promisify } from 'node:util';
import t from 'tap';
import { createSystemChance } from '../../../common/runtime/chance.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import { startDnsServer, type DnsServerOptions } from '../../../steering/dns/server.ts';
import { queryPacket, readReply, source, zoneOptions } from '../../support/dns-zones.ts';

const run = promisify(execFile);
const ZONE = 'steer.nearcast.test';

const options = (more: Partial<DnsServerOptions> = {}): DnsServerOptions => ({
  host: '127.0.0.1',
  port: 0,
  zone: zoneOptions,
  source,
  repliesPerSecond: 1000,
  tcpConnectionsMax: 8,
  tcpIdleMs: 5_000,
  clock: createSystemClock(),
  chance: createSystemChance(),
  ...more,
});
const start = (more: Partial<DnsServerOptions> = {}) => startDnsServer(options(more));

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

t.test('UDP: answers, and lives on after junk', async (t) => {
  const server = await start();
  t.teardown(() => server.close());
  const socket = createSocket('udp4');
  t.teardown(() => socket.close());
  for (const junk of [Buffer.alloc(0), Buffer.alloc(5), Buffer.alloc(1400, 0xff)])
    socket.send(junk, server.port, '127.0.0.1');
  socket.send(queryPacket(`play.${ZONE}`, { id: 7 }), server.port, '127.0.0.1');
  const [packet] = (await once(socket, 'message')) as [Buffer];
  t.match(readReply(packet), { id: 7, rcode: 'NOERROR', answers: ['A 192.0.2.2'] });
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

/** A datagram from source port 0, which only a raw socket sends. */
const fromPortZero = (port: number): Promise<unknown> =>
  run('perl', [
    '-MSocket',
    '-e',
    `socket(my $s, PF_INET, SOCK_RAW, 17) or exit 1; my $q = pack('H*', $ARGV[1]);
     send($s, pack('n4', 0, $ARGV[0], 8 + length $q, 0) . $q, 0, pack_sockaddr_in(0, inet_aton('127.0.0.1'))) or exit 1;`,
    String(port),
    queryPacket(`play.${ZONE}`).toString('hex'),
  ]);

t.test('UDP: a query from port 0, which cannot be answered, ends nothing', async (t) => {
  const server = await start();
  t.teardown(() => server.close());
  const sent = await fromPortZero(server.port).then(
    () => true,
    () => false,
  );
  if (!sent) t.comment('no raw sockets here: only the ordinary query is sent');
  const socket = createSocket('udp4');
  t.teardown(() => socket.close());
  socket.send(queryPacket(`play.${ZONE}`, { id: 9 }), server.port, '127.0.0.1');
  const [packet] = (await once(socket, 'message')) as [Buffer];
  t.match(readReply(packet), { id: 9, rcode: 'NOERROR' });
  t.equal(server.counts.udp[0], 1, 'the one that asked for no reply has cost nothing');
});

t.test('a port that is taken is said', async (t) => {
  const server = await start();
  t.teardown(() => server.close());
  const again = start({ port: server.port });
  await t.rejects(again, { code: 'EADDRINUSE' });
});

const hasDig = await run('dig', ['-v']).then(
  () => true,
  () => false,
);

t.test(
  'dig',
  { skip: hasDig ? false : 'dig is not installed (apt-get install bind9-dnsutils)' },
  async (t) => {
    const server = await start();
    t.teardown(() => server.close());
    const dig = async (...args: string[]): Promise<string> =>
      (await run('dig', ['@127.0.0.1', '-p', String(server.port), '+tries=1', '+time=5', ...args])).stdout;
    t.match(await dig(`play.${ZONE}`), /status: NOERROR.*flags: qr aa rd.*192\.0\.2\.2/s);
    const tailored = await dig(`pLaY.${ZONE}`, '+subnet=10.1.2.0/24');
    t.match(tailored, /CLIENT-SUBNET: 10\.1\.2\.0\/24\/8.*pLaY.*192\.0\.2\.1/s);
    t.match(
      await dig(`play.${ZONE}`, 'AAAA', '+subnet=2001:db8::/48'),
      /CLIENT-SUBNET: 2001:db8::\/48\/32.*2001:db8::1/s,
    );
    t.match(await dig(`play.${ZONE}`, '+subnet=0'), /CLIENT-SUBNET: 0\.0\.0\.0\/0\/0.*192\.0\.2\.2/s);
    t.notMatch(await dig(`play.${ZONE}`), /CLIENT-SUBNET/);
    t.match(await dig(`play.${ZONE}`, '+tcp', '+subnet=10.0.0.0/8'), /192\.0\.2\.1/);
    t.match(await dig(`play.${ZONE}`, '+edns=1', '+noednsnegotiation'), /status: BADVERS/);
    t.match(await dig(`nobody.${ZONE}`), /status: NXDOMAIN.*AUTHORITY: 1.*SOA/s);
    t.match(await dig(`play.${ZONE}`, 'TXT'), /status: NOERROR.*ANSWER: 0, AUTHORITY: 1.*SOA/s);
    t.match(await dig(`play.${ZONE}`, 'TYPE64'), /status: NOERROR.*ANSWER: 0, AUTHORITY: 1/s);
    t.match(await dig(`play.${ZONE}`, 'HTTPS'), /IN\s+HTTPS\s+1 isp-b-1\.\S+ ipv4hint=192\.0\.2\.2/);
    t.match(
      await dig(`isp-a-1.${ZONE}`, 'HTTPS'),
      /HTTPS\s+1 \. port=8443 ipv4hint=192\.0\.2\.1 ipv6hint=2001:db8::1/,
    );
    t.match(await dig(`abcde.play.${ZONE}`), /abcde\.play\S+\s+20\s+IN\s+A\s+192\.0\.2\.3/);
    t.match(await dig(ZONE, 'CAA'), /IN\s+CAA\s+0 issue "ca\.example"/);
    t.match(await dig(ZONE, 'SOA'), /IN\s+SOA\s+ns1\.\S+ hostmaster\.\S+ 77 /);
    t.match(await dig(`play.${ZONE}`, '+cookie'), /COOKIE: [0-9a-f]{48} \(good\)/);
    t.match(await dig(ZONE, 'AXFR'), /Transfer failed/);
    t.match(await dig(`play.${ZONE}`, 'ANY', '+notcp'), /HINFO\s+"RFC8482" ""/);
    t.match(await dig('example.com'), /status: REFUSED/);
    t.match(await dig(ZONE, 'NS'), /NS\s+ns1\.steer/);
  },
);
