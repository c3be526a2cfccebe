import { decode, encode } from 'dns-packet';
import fc from 'fast-check';
import t from 'tap';
import type { Transport } from '../../../steering/dns/responder.ts';
import type { ZoneSource } from '../../../steering/dns/zone.ts';
import { content, createAsker, ecs, queryPacket, readReply } from '../../support/dns-zones.ts';

const ZONE = 'steer.nearcast.test';
const question = (name: string): Buffer => encode({ questions: [{ name, type: 'A' }] }).subarray(12, -4);
const ask = (
  packet: Buffer,
  { resolver, ...options }: { resolver?: string; transport?: Transport; more?: Partial<ZoneSource> } = {},
) => {
  const reply = createAsker(options)(packet, resolver);
  return reply === undefined ? undefined : readReply(reply);
};

t.test('steered names, nodes and the zone itself', (t) => {
  t.match(ask(queryPacket(`play.${ZONE}`)), { rcode: 'NOERROR', authoritative: true, answers: ['A 192.0.2.1'], hasOpt: false, id: 4242 }); // prettier-ignore
  t.strictSame(ask(queryPacket(`play.${ZONE}`), { resolver: '172.16.0.1' })?.answers, ['A 192.0.2.2']);
  t.strictSame(ask(queryPacket(`play.${ZONE}`, { type: 'AAAA' }))?.answers, ['AAAA 2001:db8::1']);
  t.strictSame(ask(queryPacket(`isp-b-1.${ZONE}`))?.answers, ['A 192.0.2.2']);
  t.strictSame(ask(queryPacket(`rack.one.${ZONE}`))?.answers, ['A 192.0.2.3']);
  t.strictSame(ask(queryPacket(`ns1.${ZONE}`))?.answers, ['A 127.0.0.1']);
  t.strictSame(ask(queryPacket(ZONE, { type: 'NS' }))?.answers, [`NS ns1.${ZONE}`]);
  t.match(ask(queryPacket(ZONE, { type: 'SOA' }))?.answers[0], /"serial":77/);
  t.strictSame(ask(queryPacket(`play.${ZONE}`, { type: 'ANY' }))?.answers, [
    'HINFO {"cpu":"RFC8482","os":""}',
  ]);
  t.end();
});

t.test('what is not there is said with an SOA', (t) => {
  const nodata = { rcode: 'NOERROR', authoritative: true, answers: [], authorities: ['SOA'] };
  t.match(ask(queryPacket(`isp-b-1.${ZONE}`, { type: 'AAAA' })), nodata);
  for (const type of ['TXT', 'MX', 'CAA', 'SRV', 'DNSKEY', 'UNKNOWN_64', 'UNKNOWN_4711'])
    t.match(ask(queryPacket(`play.${ZONE}`, { type })), nodata, type);
  t.match(ask(queryPacket(ZONE)), nodata, 'the zone has no address');
  t.match(ask(queryPacket(`one.${ZONE}`)), nodata, 'a name that is only a part of another');
  t.match(ask(queryPacket(`nobody.${ZONE}`)), { ...nodata, rcode: 'NXDOMAIN' });
  t.match(ask(queryPacket(`nobody.${ZONE}`, { type: 'ANY' })), { ...nodata, rcode: 'NXDOMAIN' });
  t.match(ask(queryPacket('play.example.com')), { rcode: 'REFUSED', authoritative: false, authorities: [] });
  t.match(ask(queryPacket(`xsteer.nearcast.test`)), { rcode: 'REFUSED' });
  t.match(ask(queryPacket(ZONE, { type: 'AXFR' })), { rcode: 'REFUSED' });
  t.match(ask(queryPacket(`play.${ZONE}`, { classCode: 3 })), { rcode: 'REFUSED' });
  t.match(ask(queryPacket(`play.${ZONE}`), { more: { steer: () => undefined } }), {
    rcode: 'SERVFAIL',
  });
  const throwing = {
    steer: () => {
      throw new RangeError('a bug');
    },
  };
  t.match(ask(queryPacket(`play.${ZONE}`), { more: throwing }), { rcode: 'SERVFAIL' });
  t.end();
});

t.test('an ACME server finds what a node has published, and nothing under the others', (t) => {
  const values = ['a', 'b'].map((letter) => letter.repeat(43));
  const reply =
    createAsker()(queryPacket(`_Acme-Challenge.isp-a-1.${ZONE}`, { type: 'TXT' })) ?? Buffer.alloc(12);
  const { answers = [] } = decode(reply);
  t.strictSame(
    answers.map((record) => record.type === 'TXT' && String(record.data)),
    values,
  );
  t.match(ask(queryPacket(`_acme-challenge.isp-a-1.${ZONE}`)), {
    rcode: 'NOERROR',
    answers: [],
    authorities: ['SOA'],
  });
  t.match(ask(queryPacket(`_acme-challenge.isp-b-1.${ZONE}`, { type: 'TXT' })), { rcode: 'NXDOMAIN' });
  t.end();
});

t.test('CAA stands at the zone', (t) => {
  const caa = ask(queryPacket(ZONE, { type: 'CAA' }))?.answers;
  t.match(caa, [/CAA .*"tag":"issue","value":"ca.example"/]);
  t.end();
});

/** The data of the HTTPS records of a reply: dns-packet has no codec of the type, and hands it on. */
const httpsData = (packet: Buffer, resolver?: string): string[] => {
  const { answers = [] } = decode(createAsker()(packet, resolver) ?? Buffer.alloc(12));
  return answers.map((record) => (record as unknown as { data: Buffer }).data.toString('hex'));
};

t.test('HTTPS: a node says its port and addresses, a steered name its best nodes, in their order', (t) => {
  const hints = '00040004c0000201' + '00060010' + '20010db8000000000000000000000001';
  const ask65 = (name: string) => queryPacket(`${name}.${ZONE}`, { type: 'UNKNOWN_65' });
  t.strictSame(httpsData(ask65('isp-a-1')), ['0001' + '00' + '0003000220fb' + hints]);
  const target = (id: string) => question(`${id}.${ZONE}`).toString('hex');
  t.strictSame(httpsData(ask65('play')), ['0001' + target('isp-a-1') + '0003000220fb' + hints]);
  t.strictSame(
    httpsData(ask65('play'), '172.16.0.1'),
    ['0001' + target('isp-b-1') + '00040004c0000202'],
    '443',
  );
  const both = { steer: () => ({ nodes: [1, 2, 0], scopeLength: 3, ttlS: 9 }) };
  const packet = createAsker({ more: both })(ask65('play')) ?? Buffer.alloc(0);
  const { answers = [] } = decode(packet);
  t.strictSame(
    answers.map((record) => [
      (record as unknown as { data: Buffer }).data.readUInt16BE(0),
      'ttl' in record && record.ttl,
    ]),
    [
      [1, 9],
      [2, 9],
    ],
    'priorities; one that speaks plain HTTP has no record',
  );
  t.match(ask(ask65('rack.one')), { rcode: 'NOERROR', answers: [], authorities: ['SOA'] });
  t.end();
});

t.test('a shard before a steered name leads to the homes of its titles', (t) => {
  const at = (name: string, type = 'A') =>
    ask(queryPacket(`${name}.${ZONE}`, { type, subnets: [ecs(1, 8, [10])] }));
  t.match(at('abcde.play'), { answers: ['A 192.0.2.3'], subnet: [0, 1, 8, 0, 10] });
  t.match(at('ABcDE.pLay'), { answers: ['A 192.0.2.3'] });
  t.match(at('00000.play'), { answers: ['A 192.0.2.1'], subnet: [0, 1, 8, 8, 10] });
  t.match(at('abcde.play', 'TXT'), { rcode: 'NOERROR', answers: [], authorities: ['SOA'] });
  for (const name of ['abcdg.play', 'abcd.play', 'abcdef.play', 'abcde.isp-a-1', 'abcde', '00000.abcde.play'])
    t.match(at(name), { rcode: 'NXDOMAIN' }, name);
  t.end();
});

t.test('names compare without case and go back in the case asked', (t) => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { minLength: 24, maxLength: 24 }), (upper) => {
      const name = Array.from(`play.${ZONE}`)
        .map((c, at) => (upper[at] === true ? c.toUpperCase() : c))
        .join('');
      const packet = queryPacket(name);
      const reply = createAsker()(packet);
      const same = reply?.subarray(12, packet.length).equals(packet.subarray(12)) === true;
      return same && readReply(reply).answers[0] === 'A 192.0.2.1';
    }),
  );
  t.end();
});

t.test('ECS: echoed with the scope of the lookup, FORMERR where it is wrong', (t) => {
  const name = `play.${ZONE}`;
  const at = (subnet: Buffer, type = 'A') =>
    ask(queryPacket(name, { subnets: [subnet], type }), { resolver: '172.16.0.1' });
  t.match(at(ecs(1, 24, [10, 1, 2])), { answers: ['A 192.0.2.1'], subnet: [0, 1, 24, 8, 10, 1, 2] });
  t.match(at(ecs(1, 24, [11, 1, 2])), { answers: ['A 192.0.2.2'], subnet: [0, 1, 24, 5, 11, 1, 2] });
  t.match(at(ecs(2, 48, [0x20, 1, 0xd, 0xb8, 0, 0])), { answers: ['A 192.0.2.1'], subnet: [0, 2, 48, 32, 0x20, 1, 0xd, 0xb8, 0, 0] }); // prettier-ignore
  t.match(at(ecs(1, 0, [])), { answers: ['A 192.0.2.2'], subnet: [0, 1, 0, 0] }, 'source 0: not tailored');
  t.match(at(ecs(0, 0, [])), { rcode: 'NOERROR', subnet: [0, 0, 0, 0] }, 'dig +subnet=0');
  t.match(
    ask(queryPacket(name, { subnets: [] })),
    { hasOpt: true, subnet: undefined },
    'left out if not asked',
  );
  const bad: Record<string, Buffer> = {
    'scope in a query': Buffer.from([0, 1, 24, 8, 10, 1, 2]),
    'bits beyond the source': ecs(1, 20, [10, 1, 0x21]),
    'too many bytes': ecs(1, 24, [10, 1, 2, 0]),
    'too few bytes': ecs(1, 24, [10, 1]),
    'source too long': ecs(1, 33, [10, 1, 2, 3, 0]),
    'a family of no one': ecs(3, 8, [10]),
    'family 0 with an address': ecs(0, 8, [10]),
    'no head': Buffer.from([0, 1]),
  };
  for (const [what, subnet] of Object.entries(bad))
    t.match(at(subnet), { rcode: 'FORMERR', answers: [] }, what);
  const two = ask(queryPacket(name, { subnets: [ecs(1, 8, [10]), ecs(1, 8, [11])] }));
  t.match(two, { rcode: 'FORMERR' }, 'two options');
  t.match(
    ask(queryPacket(`isp-a-1.${ZONE}`, { subnets: [ecs(1, 8, [10])] })),
    { subnet: [0, 1, 8, 0, 10] },
    'the same for all',
  );
  t.end();
});

t.test('EDNS version, opcodes, counts, replies and fragments', (t) => {
  const good = queryPacket(`play.${ZONE}`);
  t.match(
    ask(queryPacket(`play.${ZONE}`, { version: 1 })),
    { rcode: 'NOERROR', extendedRcode: 1, answers: [] },
    'BADVERS',
  );
  const patched = (offset: number, value: number): Buffer => {
    const packet = Buffer.from(good);
    packet.writeUInt16BE(value, offset);
    return packet;
  };
  t.match(ask(patched(2, 0x2000)), { rcode: 'NOTIMP' }, 'NOTIFY');
  t.match(ask(patched(4, 0)), { rcode: 'FORMERR' }, 'no question');
  t.match(ask(patched(4, 2)), { rcode: 'FORMERR' }, 'two questions');
  t.match(ask(patched(6, 9)), { rcode: 'FORMERR' }, 'records that are not there');
  const crowded = Buffer.concat([patched(10, 5), ...Array<Buffer>(5).fill(Buffer.alloc(11))]);
  t.match(ask(crowded), { rcode: 'FORMERR' }, 'more records than a query has');
  t.equal(ask(patched(2, 0x8000)), undefined, 'a reply is not answered');
  t.equal(ask(good.subarray(0, 11)), undefined);
  t.match(ask(good.subarray(0, 20)), { rcode: 'FORMERR' });
  const pointer = Buffer.concat([good.subarray(0, 12), Buffer.from([0xc0, 0x0c, 0, 1, 0, 1])]);
  t.match(ask(pointer), { rcode: 'FORMERR' }, 'a compressed question');
  const dotted = queryPacket(`play.${ZONE}`);
  dotted[12] = 10; // one label "play.steer" of ten bytes
  t.match(ask(dotted), { rcode: 'REFUSED' });
  t.end();
});

t.test('what does not fit into a datagram is cut, and whole over TCP', (t) => {
  const addresses = Array.from({ length: 60 }, (_, at) => `192.0.2.${at}`);
  const listing = (count: number): Partial<ZoneSource> => ({
    content: () => ({
      ...content,
      nodes: content.nodes.map((node) => ({ ...node, addresses: { 4: addresses.slice(0, count), 6: [] } })),
    }),
    steer: () => ({ nodes: [0, 1], scopeLength: 0, ttlS: 1 }),
  });
  const packet = queryPacket(`play.${ZONE}`, { subnets: [ecs(1, 8, [10])], udpPayloadSize: 65_535 });
  t.match(ask(packet, { more: listing(60) }), { truncated: true, answers: [], hasOpt: true });
  const plain = queryPacket(`play.${ZONE}`);
  t.match(ask(plain, { more: listing(15) }), { truncated: true }, '512 bytes without EDNS');
  t.equal(ask(packet, { more: listing(15) })?.answers.length, 30);
  t.match(
    ask(queryPacket(`isp-a-1.${ZONE}`), { more: listing(60) }),
    { truncated: true },
    'a name of its own',
  );
  t.match(ask(packet, { more: listing(60), transport: 'tcp' }), { truncated: false });
  t.equal(ask(packet, { more: listing(60), transport: 'tcp' })?.answers.length, 120);
  t.end();
});

t.test('nothing that comes in throws, and what goes out is a reply', (t) => {
  const seeds = [
    queryPacket(`play.${ZONE}`, { subnets: [ecs(1, 24, [10, 1, 2])] }),
    queryPacket(`isp-a-1.${ZONE}`, { type: 'AAAA', subnets: [] }),
    queryPacket(ZONE, { type: 'SOA' }),
  ];
  const mutated = fc
    .tuple(
      fc.constantFrom(...seeds),
      fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { maxLength: 6 }),
      fc.nat(90),
      fc.uint8Array({ maxLength: 20 }),
    )
    .map(([seed, edits, length, tail]) => {
      const packet = Buffer.concat([seed.subarray(0, length), tail]);
      for (const [at, value] of edits) if (at < packet.length) packet[at] = value;
      return packet;
    });
  const random = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
  const askers = { udp: createAsker(), tcp: createAsker({ transport: 'tcp' }) };
  fc.assert(
    fc.property(
      fc.oneof(mutated, random),
      fc.constantFrom<'udp' | 'tcp'>('udp', 'tcp'),
      (packet, transport) => {
        const reply = askers[transport](packet);
        if (reply === undefined) return packet.length < 12 || packet.readUInt8(2) >= 0x80;
        return (
          reply.readUInt16BE(0) === packet.readUInt16BE(0) &&
          reply.readUInt8(2) >= 0x80 &&
          reply.length <= (transport === 'udp' ? 1232 : 0xffff) &&
          (readReply(reply).id ?? -1) >= 0
        );
      },
    ),
    { numRuns: 20_000 },
  );
  t.end();
});
