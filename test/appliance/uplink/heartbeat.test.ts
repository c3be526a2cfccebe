import t from 'tap';

import { HeartbeatSender, type HeartbeatFacts } from '../../../appliance/uplink/heartbeat.ts';
import { HoldingsDelta } from '../../../appliance/uplink/holdings-delta.ts';
import { reachableAt } from '../../../appliance/uplink/reachable-at.ts';
import type { Heartbeat, HeartbeatReply } from '../../../common/contract/nodes.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';

const facts: HeartbeatFacts = {
  state: 'ready',
  url: 'http://127.0.0.1:1',
  addresses: [],
  place: undefined,
  routeFeed: false,
  capacityBytes: 1,
  usedBytes: 0,
  lineBytesPerSecond: undefined,
  headroom: 1,
  liveRequests: 0,
  liveSessions: 0,
  drainEtaMs: undefined,
  fillManifestSequence: 0,
  revocationsSequence: 0,
  reasons: ['CLOCK_SKEW', 'CLOCK_SKEW'],
};

void t.test(
  'everything first, then changes; what was not acknowledged is told again, what is asked for too',
  async (test) => {
    const held = new Set(['a', 'b']);
    const holdings = new HoldingsDelta(() => held);
    const sent: Heartbeat[] = [];
    let answer: () => Promise<HeartbeatReply>;
    const reply = {
      leaseMs: 5000,
      nowMs: 0,
      fillManifestSequence: 0,
      revocationsSequence: 0,
      fullWanted: false,
      drainWanted: false,
    };
    const sender = new HeartbeatSender({
      incarnation: 'incarnation',
      send: (heartbeat) => {
        sent.push(heartbeat);
        return answer();
      },
      facts: () => Promise.resolve(facts),
      holdings,
      onReply: () => undefined,
      clock: createSystemClock(),
      log: createSilentLog(),
      records: { heartbeat: () => undefined, document: () => undefined, routes: () => undefined },
    });
    const { signal } = new AbortController();
    const next = async (how: () => Promise<HeartbeatReply>) => {
      answer = how;
      await sender.send(signal);
      return sent.at(-1)!;
    };
    const yes = () => Promise.resolve(reply);
    const no = () => Promise.reject(coded('CONTROL_UNREACHABLE'));

    test.match(await next(no), {
      sequence: 1,
      holdings: { full: true, added: ['a', 'b'] },
      reasons: ['CLOCK_SKEW'],
    });
    held.add('c');
    holdings.note({ kind: 'added', file: 'c' });
    test.match(await next(yes), {
      sequence: 2,
      holdings: { full: true, added: ['a', 'b', 'c'] },
    });
    const quiet = await next(yes);
    test.same(quiet.holdings, { full: false, added: [], removed: [] });

    holdings.note({ kind: 'removed', file: 'b' });
    test.match(await next(no), { holdings: { full: false, removed: ['b'] } });
    const answered = await next(() => {
      // Changes while the heartbeat is on its way are not taken for told.
      holdings.note({ kind: 'added', file: 'b' });
      return Promise.resolve(reply);
    });
    test.match(answered, { holdings: { removed: ['b'] } });
    test.match(await next(() => Promise.resolve({ ...reply, fullWanted: true })), {
      holdings: { full: false, added: ['b'] },
    });
    test.match(await next(yes), { holdings: { full: true } });
  },
);

void t.test('how others reach the box is found out, or taken as told', (test) => {
  const nothing = { publicUrl: undefined, addresses: [] };
  test.same(reachableAt({ host: '127.0.1.1', port: 8080 }, nothing), {
    url: 'http://127.0.1.1:8080',
    addresses: ['127.0.1.1'],
  });
  test.same(reachableAt({ host: '::1', port: 80 }, nothing), { url: 'http://[::1]:80', addresses: ['::1'] });
  const told = { publicUrl: 'https://box.example/', addresses: ['192.0.2.1'] };
  test.same(reachableAt({ host: '::', port: 80 }, told), {
    url: 'https://box.example',
    addresses: ['192.0.2.1'],
  });
  test.end();
});
