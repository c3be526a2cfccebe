import t from 'tap';
import { RateLimit } from '../../../steering/dns/rate-limit.ts';
import { countAt, createReplyCounts } from '../../../steering/dns/reply-counts.ts';
import { createAsker, queryPacket, readReply } from '../../support/dns-zones.ts';
import { address } from '../../support/steering-maps.ts';

const ZONE = 'steer.nearcast.test';

t.test('a network gets its rate of a kind; what is over slips or is dropped by turns', (t) => {
  const limit = new RateLimit({ repliesPerSecond: 10, seed: 1 });
  const judge = (client: string, kind: number, nowMs: number) => limit.judge(address(client), kind, nowMs);
  const many = (count: number, nowMs: number) =>
    Array.from({ length: count }, (_, at) => judge(`192.0.2.${at}`, 1, nowMs));
  t.strictSame(many(14, 1000), [...Array<string>(10).fill('send'), 'drop', 'slip', 'drop', 'slip']);
  t.equal(judge('192.0.3.1', 1, 1000), 'send', 'another network');
  t.equal(judge('192.0.2.1', 2, 1000), 'send', 'another kind');
  t.strictSame(many(3, 1200), ['send', 'send', 'drop'], 'a fifth of a second later two more');
  t.equal(
    many(100, 5000).filter((verdict) => verdict === 'send').length,
    10,
    'what was not used is not saved',
  );
  t.equal(judge('2001:db8:0:100::1', 1, 5000), 'send');
  t.end();
});

t.test('IPv6 counts by /56', (t) => {
  const limit = new RateLimit({ repliesPerSecond: 1, seed: 1 });
  const judge = (client: string) => limit.judge(address(client), 1, 0);
  t.equal(judge('2001:db8:0:1::1'), 'send');
  t.equal(judge('2001:db8:0:ff::1'), 'drop');
  t.equal(judge('2001:db8:0:100::1'), 'send');
  t.end();
});

t.test('a flood from everywhere leaves nobody without an answer for long, and needs no more memory', (t) => {
  const limit = new RateLimit({ repliesPerSecond: 5, seed: 7 });
  let sent = 0;
  for (let at = 0; at < 300_000; at++) {
    const client = { family: 4 as const, words: [Math.imul(at, 0x9e3779b1) >>> 0] };
    if (limit.judge(client, 1, at / 1000) === 'send') sent++;
  }
  t.ok(sent > 290_000, `${sent}`);
  t.end();
});

t.test('in packets: cut to TC over the limit, by turns nothing; a cookie of ours lifts it', (t) => {
  const counts = createReplyCounts();
  const ask = createAsker({ limit: new RateLimit({ repliesPerSecond: 2, seed: 1 }), counts });
  const query = queryPacket(`play.${ZONE}`, { subnets: [] });
  const replies = Array.from({ length: 6 }, () => ask(query)).map((reply) =>
    reply === undefined ? undefined : readReply(reply),
  );
  t.match(replies, [
    { truncated: false, answers: ['A 192.0.2.1'] },
    { truncated: false },
    undefined,
    { truncated: true, answers: [], hasOpt: true },
    undefined,
    { truncated: true },
  ]);
  t.strictSame([counts[countAt.dropped], counts[countAt.slipped]], [2, 2]);
  const client = Buffer.alloc(8, 5);
  t.match(
    readReply(ask(queryPacket(`play.${ZONE}`, { type: 'AAAA' })) ?? query),
    { truncated: false },
    'another kind',
  );
  const first = readReply(ask(queryPacket(`nobody.${ZONE}`, { cookie: client })) ?? query);
  const cookie = Buffer.from(first.cookie ?? []);
  for (let at = 0; at < 10; at++)
    t.match(readReply(ask(queryPacket(`play.${ZONE}`, { cookie })) ?? query), { truncated: false });
  const others = Array.from({ length: 10 }, (_, at) => ask(queryPacket(`no-${at}.${ZONE}`)));
  t.equal(
    others.filter((reply) => reply !== undefined && !readReply(reply).truncated).length,
    1,
    'random names are one kind',
  );
  t.end();
});
