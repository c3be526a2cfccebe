import { decode, type OptAnswer } from 'dns-packet';
import fc from 'fast-check';
import t from 'tap';
import { readOddQuery } from '../../../steering/dns/odd-query.ts';
import { Query, readQuery } from '../../../steering/dns/query.ts';
import { createAsker, ecs, queryPacket, readReply } from '../../support/dns-zones.ts';

const ZONE = 'steer.nearcast.test';
const label = fc.string({
  unit: fc.constantFrom('a', 'b', 'X', 'Z', '0', '9', '-', '_'),
  minLength: 1,
  maxLength: 63,
});
const anyName = fc.array(label, { minLength: 1, maxLength: 6 }).map((labels) => labels.join('.')).filter((name) => name.length < 254); // prettier-ignore
const subnet = fc
  .integer({ min: 0, max: 4 })
  .chain((bytes) => fc.uint8Array({ minLength: bytes, maxLength: bytes }));

/** What was read, as dns-packet would show it. */
const shown = (query: Query) => {
  const { options } = query;
  const part = (at: number, bytes: number) =>
    at === 0 ? undefined : Buffer.from(options.subarray(at, at + bytes)).toString('hex');
  return {
    rcode: query.rcode,
    type: query.type,
    classCode: query.classCode,
    nameBytes: query.nameBytes,
    edns: query.hasEdns,
    payload: query.payloadBytes,
    dnssecOk: query.dnssecOk,
    subnet: part(query.subnetAt, query.subnetBytes),
    cookie: part(query.cookieAt, query.cookieBytes),
  };
};

const take = (packet: Buffer): Query => {
  const query = new Query();
  query.take(packet, 0, packet.length);
  return query;
};

t.test('the hand reads what dns-packet reads', (t) => {
  const shape = fc.record({
    name: anyName,
    type: fc.constantFrom('A', 'AAAA', 'TXT', 'UNKNOWN_65', 'SOA'),
    subnet: fc.option(subnet),
    cookie: fc.option(fc.constantFrom(8, 16, 24, 40)),
    edns: fc.boolean(),
    payload: fc.nat(0xffff),
  });
  fc.assert(
    fc.property(shape, ({ name, type, edns, payload, ...of }) => {
      const subnets = of.subnet === null ? [] : [ecs(1, of.subnet.length * 8, [...of.subnet])];
      const cookie = of.cookie === null ? {} : { cookie: Buffer.alloc(of.cookie, 0xcc) };
      const options = edns ? { subnets, ...cookie, udpPayloadSize: payload } : {};
      const packet = queryPacket(name, { type, ...options });
      const query = take(packet);
      const reading = readQuery(query);
      const { questions, additionals } = decode(packet);
      const opt = additionals?.[0] as OptAnswer | undefined;
      const option = (code: number) =>
        (opt?.options as { code: number; data: Buffer }[] | undefined)
          ?.find((each) => each.code === code)
          ?.data.toString('hex');
      return (
        reading === 'read' &&
        questions?.[0]?.name === name &&
        Buffer.from(query.name.subarray(0, query.nameBytes)).equals(
          Buffer.from(
            packet
              .subarray(12, 12 + name.length + 2)
              .toString('latin1')
              .toLowerCase(),
            'latin1',
          ),
        ) && // prettier-ignore
        query.hasEdns === (opt !== undefined) &&
        query.payloadBytes === (opt === undefined ? 512 : Math.max(512, opt.udpPayloadSize)) &&
        shown(query).subnet === option(8) &&
        shown(query).cookie === option(10)
      );
    }),
    { numRuns: 3000 },
  );
  t.end();
});

t.test('odd packets that say the same are read the same', (t) => {
  const packet = queryPacket(`play.${ZONE}`, {
    subnets: [ecs(1, 24, [10, 1, 2])],
    cookie: Buffer.alloc(8, 3),
  });
  const plain = take(packet);
  t.equal(readQuery(plain), 'read');
  // A record of a type that nobody knows: before the OPT, and behind it; then bytes that belong to nothing.
  const other = Buffer.from([0, 0xff, 0xfe, 0, 1, 0, 0, 0, 0, 0, 2, 7, 7]);
  const questionEnd = 12 + `play.${ZONE}`.length + 2 + 4;
  const two = Buffer.from(packet.subarray(0, 12));
  two.writeUInt16BE(2, 10);
  const odd = [
    Buffer.concat([two, packet.subarray(12, questionEnd), other, packet.subarray(questionEnd)]),
    Buffer.concat([two, packet.subarray(12), other]),
    Buffer.concat([packet, Buffer.alloc(3)]),
  ];
  for (const [index, each] of odd.entries()) {
    const query = take(each);
    t.equal(readQuery(query), 'odd');
    readOddQuery(query);
    t.strictSame(shown(query), shown(plain));
    t.match(
      readReply(createAsker()(each) ?? packet),
      { answers: ['A 192.0.2.1'], subnet: [0, 1, 24, 8, 10, 1, 2] },
      `${index}`,
    );
  }
  const twice = Buffer.concat([two, packet.subarray(12), packet.subarray(questionEnd)]);
  t.match(readReply(createAsker()(twice) ?? packet), { rcode: 'FORMERR', hasOpt: false }, 'two OPTs');
  const short = Buffer.from(packet);
  short.writeUInt16BE(300, packet.length - 10);
  t.match(
    readReply(createAsker()(short) ?? packet),
    { rcode: 'FORMERR', hasOpt: true },
    'an option longer than its OPT',
  );
  t.end();
});
