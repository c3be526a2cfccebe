import t from 'tap';
import type { Address } from '../../../common/core/ip-address.ts';
import { formatAddress } from '../../../common/core/ip-address.ts';
import type { Ask } from '../../../steering/dns/asked.ts';
import { Cookies } from '../../../steering/dns/cookies.ts';
import { createReplyCounts } from '../../../steering/dns/reply-counts.ts';
import { Responder, udpReplyBytesMax } from '../../../steering/dns/responder.ts';
import { ecs, queryPacket, source, zoneOptions } from '../../support/dns-zones.ts';
import { address } from '../../support/steering-maps.ts';

const name = 'play.steer.nearcast.test';
const four = ecs(1, 24, [10, 1, 2]);
const six = ecs(2, 32, [0x20, 0x01, 0x0d, 0xb8]);
const padded = Buffer.concat([queryPacket(name, { subnets: [six] }), Buffer.alloc(3)]);

/** Packets, by whom they are sent, and for which client they ask; '' where no record depends on one. */
const asked: readonly (readonly [packet: Buffer, resolver: string, client: string])[] = [
  [queryPacket(name, { id: 1, subnets: [four] }), '192.0.2.53', '10.1.2.0'],
  [queryPacket(name, { id: 2 }), '10.0.0.53', '10.0.0.53'],
  [queryPacket(name, { id: 3, type: 'AAAA', subnets: [six] }), '192.0.2.53', '2001:db8::'],
  [Buffer.alloc(0), '192.0.2.53', ''],
  [queryPacket(name, { id: 4, subnets: [ecs(1, 0, [])] }), '10.0.0.53', ''],
  [queryPacket(name, { id: 5, subnets: [four, six] }), '10.0.0.53', ''],
  [queryPacket(name, { id: 6, type: 'UNKNOWN_65' }), '2001:db8::53', '2001:db8::53'],
  [queryPacket('nobody.steer.nearcast.test', { id: 7, type: 'TXT' }), '192.0.2.53', ''],
  [padded, '192.0.2.53', '2001:db8::'],
  [queryPacket(name, { id: 8, subnets: [four], version: 1 }), '10.0.0.53', ''],
  [queryPacket(name, { id: 9 }), '192.0.2.54', '192.0.2.54'],
];

function createResponder(expected: string[] = []): Responder {
  const expect = (clients: readonly Address[], count: number): void => {
    expected.push(...clients.slice(0, count).map((client) => formatAddress(client)));
  };
  const responder = new Responder({
    transport: 'udp',
    zone: zoneOptions,
    source: { ...source, expect },
    cookies: new Cookies(Buffer.alloc(32, 1)),
    limit: undefined,
    counts: createReplyCounts(),
  });
  responder.begin({ nowMs: 1e9, monotonicMs: 1e9 });
  return responder;
}

const out = new Uint8Array(asked.length * udpReplyBytesMax);
const asks = asked.map(([packet, resolver], slot): Ask => ({
  ...{ packet, start: 0, end: packet.length, resolver: address(resolver) },
  ...{ out, outAt: slot * udpReplyBytesMax },
}));
const replyOf = ({ outAt }: Ask, bytes = 0): string =>
  Buffer.from(out.subarray(outAt, outAt + bytes)).toString('hex');

t.test('a batch has the replies that each of its packets has alone', (t) => {
  const alone = createResponder();
  const expected = asks.map((ask) => replyOf(ask, alone.respond(ask)));
  const together = createResponder();
  const lengths = new Int32Array(asks.length);
  // The same objects again for the next batch, which is smaller.
  for (const count of [asks.length, 5]) {
    out.fill(0);
    together.respondAll(asks, count, lengths);
    t.same(
      asks.slice(0, count).map((ask, slot) => replyOf(ask, lengths[slot])),
      expected.slice(0, count),
    );
  }
  t.equal(new Set(expected).size, expected.length, 'they are all different');
  t.end();
});

t.test('the clients of a batch are told before they are asked about, and nobody else', (t) => {
  const told: string[] = [];
  createResponder(told).respondAll(asks, asks.length, new Int32Array(asks.length));
  t.same(
    told,
    asked.map(([, , client]) => client).filter((client) => client !== ''),
  );
  t.end();
});
