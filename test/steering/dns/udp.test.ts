import { execFile } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { promisify } from 'node:util';
import t from 'tap';
import { unprobed } from '../../../steering/core/health.ts';
import { smallMap, startDns } from '../../support/dns-server.ts';
import { ecs, queryPacket, readReply } from '../../support/dns-zones.ts';

const run = promisify(execFile);
/** Of the flags of an IP header. */
const DONT_FRAGMENT = 0x4000;
const ZONE = 'steer.nearcast.test';

/** A socket that takes replies from one address alone. */
async function connected(address: string, port: number): Promise<Socket> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  socket.connect(port, address);
  await once(socket, 'connect');
  return socket;
}

async function ask(socket: Socket, packet: Buffer) {
  socket.send(packet);
  const [reply] = (await once(socket, 'message')) as [Buffer];
  return readReply(reply);
}

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

/** Asks, and says the number and flags of the IP header of the reply (RFC 791 §3.1), which only a raw socket sees. */
const headOfReply = (port: number): Promise<string> =>
  run('perl', [
    '-MSocket',
    '-e',
    `socket(my $raw, PF_INET, SOCK_RAW, 17) or exit 1;
     socket(my $s, PF_INET, SOCK_DGRAM, 17) or exit 1; alarm 5;
     send($s, pack('H*', $ARGV[1]), 0, pack_sockaddr_in($ARGV[0], inet_aton('127.0.0.1'))) or exit 1;
     do { recv($raw, $_, 2000, 0) } until unpack('n', substr $_, 20) == $ARGV[0];
     print join ' ', unpack('n2', substr $_, 4);`,
    String(port),
    queryPacket(`play.${ZONE}`).toString('hex'),
  ]).then(({ stdout }) => stdout);

const hasDig = await run('dig', ['-v']).then(
  () => true,
  () => false,
);

for (const udp of ['native', 'dgram'] as const) {
  t.test(`${udp}: answers, and lives on after junk`, async (t) => {
    const server = await startDns({ udp });
    t.teardown(() => server.close());
    const socket = createSocket('udp4');
    t.teardown(() => socket.close());
    for (const junk of [Buffer.alloc(0), Buffer.alloc(5), Buffer.alloc(1400, 0xff)])
      socket.send(junk, server.port, '127.0.0.1');
    socket.send(queryPacket(`play.${ZONE}`, { id: 7 }), server.port, '127.0.0.1');
    const [packet] = (await once(socket, 'message')) as [Buffer];
    t.match(readReply(packet), { id: 7, rcode: 'NOERROR', answers: ['A 192.0.2.2'] });
  });

  t.test(`${udp}: a query from port 0, which cannot be answered, ends nothing`, async (t) => {
    const server = await startDns({ udp });
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

  t.test(`${udp}: many at once, each with its own reply`, async (t) => {
    const server = await startDns({ udp });
    t.teardown(() => server.close());
    const socket = await connected('127.0.0.1', server.port);
    t.teardown(() => socket.close());
    const got = new Map<number, string>();
    const all = new Promise<void>((resolve) => {
      socket.on('message', (reply: Buffer) => {
        const { id, answers } = readReply(reply);
        got.set(id ?? -1, answers.join());
        if (got.size === 100) resolve();
      });
    });
    for (let id = 0; id < 100; id++)
      socket.send(queryPacket(`play.${ZONE}`, { id, subnets: [ecs(1, 8, [id % 2 === 0 ? 10 : 11])] }));
    await all;
    for (const [id, answers] of got)
      t.equal(answers, id % 2 === 0 ? 'A 192.0.2.1,A 192.0.2.2' : 'A 192.0.2.2');
  });

  t.test(`${udp}: over IPv6, and IPv4 on a socket of both`, async (t) => {
    const server = await startDns({ udp, host: '::' });
    t.teardown(() => server.close());
    for (const address of ['::1', '127.0.0.1']) {
      const socket = await connected(address, server.port);
      t.teardown(() => socket.close());
      t.match(await ask(socket, queryPacket(`play.${ZONE}`)), { answers: ['A 192.0.2.2'] }, address);
    }
  });

  t.test(`${udp}: follows maps and health`, async (t) => {
    const server = await startDns({ udp, repliesPerSecond: 1_000_000 });
    t.teardown(() => server.close());
    const socket = await connected('127.0.0.1', server.port);
    t.teardown(() => socket.close());
    const near = queryPacket(`play.${ZONE}`, { subnets: [ecs(1, 8, [10])] });
    t.match(await ask(socket, near), { answers: ['A 192.0.2.1', 'A 192.0.2.2'] });
    server.setHealth(new Map([['isp-a-1', { ...unprobed(0), verdict: 'down' }]]));
    while ((await ask(socket, near)).answers.length > 1);
    t.match(await ask(socket, near), { answers: ['A 192.0.2.2'] });
    server.setHealth(new Map());
    while ((await ask(socket, near)).answers.length < 2);
    server.setMap(78, { ...smallMap, appliances: smallMap.appliances.slice(0, 1), bundles: [] });
    const gone = queryPacket(`isp-b-1.${ZONE}`);
    while ((await ask(socket, gone)).rcode !== 'NXDOMAIN');
    t.match(await ask(socket, near), { answers: ['A 192.0.2.1'] });
    const challenge = queryPacket(`_acme-challenge.isp-a-1.${ZONE}`, { type: 'TXT' });
    t.match(await ask(socket, challenge), { rcode: 'NXDOMAIN' });
    server.setMap(79, { ...smallMap, challenges: [{ node: 'isp-a-1', values: ['c'.repeat(43)] }] });
    while ((await ask(socket, challenge)).rcode !== 'NOERROR');
    t.equal((await ask(socket, challenge)).answers.length, 1);
  });

  t.test(
    `${udp}: a cookie of TCP is good for UDP: over the limit only who has one is answered`,
    async (t) => {
      const server = await startDns({ udp, repliesPerSecond: 1 });
      t.teardown(() => server.close());
      const tcp = connect(server.port, '127.0.0.1');
      t.teardown(() => tcp.destroy());
      const query = queryPacket(`play.${ZONE}`, { cookie: Buffer.alloc(8, 1) });
      const length = Buffer.alloc(2);
      length.writeUInt16BE(query.length);
      tcp.write(Buffer.concat([length, query]));
      const [reply] = (await once(tcp, 'data')) as [Buffer];
      const cookie = Buffer.from(readReply(reply.subarray(2)).cookie ?? []);
      const socket = await connected('127.0.0.1', server.port);
      t.teardown(() => socket.close());
      const mine = queryPacket(`play.${ZONE}`, { cookie });
      for (let at = 0; at < 5; at++)
        t.match(await ask(socket, mine), { truncated: false, answers: ['A 192.0.2.2'] });
    },
  );

  t.test(
    `${udp}: dig`,
    { skip: hasDig ? false : 'dig is not installed (apt-get install bind9-dnsutils)' },
    async (t) => {
      const challenges = [{ node: 'isp-a-1', values: ['a'.repeat(43), 'b'.repeat(43)] }];
      const body = { ...smallMap, challenges };
      const server = await startDns({ udp, body });
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
      t.notMatch(await dig(`abcde.play.${ZONE}`, '+subnet=10.1.2.0/24'), /192\.0\.2\.1/);
      t.match(
        await dig(`abcde.play.${ZONE}`, '+subnet=10.1.2.0/24'),
        /abcde\.play\S+\s+20\s+IN\s+A\s+192\.0\.2\.2/,
      );
      t.match(await dig(ZONE, 'CAA'), /IN\s+CAA\s+0 issue "ca\.example"/);
      t.match(
        await dig(`_acme-challenge.isp-a-1.${ZONE}`, 'TXT'),
        /IN\s+TXT\s+"a{43}"\n.*IN\s+TXT\s+"b{43}"/,
      );
      t.match(await dig(`isp-a-1.${ZONE}`, 'CAA'), /status: NOERROR.*ANSWER: 0, AUTHORITY: 1.*SOA/s);
      t.match(await dig(`isp-a-1.${ZONE}`, 'SVCB'), /status: NOERROR.*ANSWER: 0, AUTHORITY: 1.*SOA/s);
      t.match(await dig(`play.${ZONE}`, 'NS', '+tcp'), /status: NOERROR.*ANSWER: 0, AUTHORITY: 1.*SOA/s);
      const kept = await dig('+tcp', '+keepopen', `play.${ZONE}`, `isp-a-1.${ZONE}`, `nobody.${ZONE}`);
      t.strictSame([...kept.matchAll(/status: (\w+)/g)].map(([, status]) => status), ['NOERROR', 'NOERROR', 'NXDOMAIN']); // prettier-ignore
      t.match(await dig(ZONE, 'SOA'), /IN\s+SOA\s+ns1\.\S+ hostmaster\.\S+ 77 /);
      t.match(await dig(`play.${ZONE}`, '+cookie'), /COOKIE: [0-9a-f]{48} \(good\)/);
      t.match(await dig(ZONE, 'AXFR'), /Transfer failed/);
      t.match(await dig(`play.${ZONE}`, 'ANY', '+notcp'), /HINFO\s+"RFC8482" ""/);
      t.match(await dig('example.com'), /status: REFUSED/);
      t.match(await dig(ZONE, 'NS'), /NS\s+ns1\.steer/);
    },
  );
}

t.test('native: on every address of the machine, the one that was asked answers', async (t) => {
  const server = await startDns({ udp: 'native', host: '0.0.0.0' });
  t.teardown(() => server.close());
  for (const address of ['127.0.0.1', '127.0.0.2', '127.1.2.3']) {
    const socket = await connected(address, server.port);
    t.teardown(() => socket.close());
    t.match(await ask(socket, queryPacket(`play.${ZONE}`)), { rcode: 'NOERROR' }, address);
  }
});

t.test('native: an address that is none is said', async (t) => {
  await t.rejects(startDns({ udp: 'native', host: '203.0.113.1' }), { code: 'EADDRNOTAVAIL' });
});

t.test('native: routers are told not to cut a reply into fragments (RFC 9715)', async (t) => {
  const server = await startDns({ udp: 'native' });
  t.teardown(() => server.close());
  const head = await headOfReply(server.port).catch(() => undefined);
  if (head === undefined) t.pass('no raw sockets here', { skip: 'needs a raw socket' });
  // Linux numbers whatever it might still cut itself: 0 is what never will be.
  else t.equal(head, `0 ${DONT_FRAGMENT}`);
});
