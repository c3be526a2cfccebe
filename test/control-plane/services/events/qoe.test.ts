import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';

import type { EventData } from '../../../../common/contract/event-log.ts';
import type { PlayerEvent } from '../../../../common/contract/playback.ts';
import { coded } from '../../../../common/runtime/errors.ts';
import {
  addQoe,
  noQoe,
  qoeOf,
  qoeRow,
  type QoeSums,
} from '../../../../control-plane/services/events/core/qoe.ts';
import { call } from '../../support/call.ts';
import { openLab, type EventsLab, type LabOptions } from '../../support/events-lab.ts';
import { asRole, fakeDeliveryToken } from '../../support/fake-credentials.ts';
import { fileNamed } from '../../support/sample-bundle.ts';

const dayMs = 86_400_000;
const session = 'ab'.repeat(16);
const token = fakeDeliveryToken({
  ...{ scope: 'play', session, bundle: fileNamed('bundle'), issuedAtS: 0, expiresAtS: 1 },
});

let number = 0;
async function tell(
  lab: EventsLab,
  events: readonly Partial<PlayerEvent>[],
  more: object = {},
): Promise<void> {
  const headers = { authorization: `Bearer ${token}`, ...more };
  const json = {
    events: events.map((event) => ({
      ...{ id: `event-${1000 + number++}`, timeMs: lab.clock.nowMs(), type: 'progress', positionMs: 0 },
      ...event,
    })),
  };
  t.match(await call(`${lab.url}/v1/events`, { headers, json }), { status: 200 });
}

async function rows(lab: EventsLab, query: string): Promise<unknown> {
  await lab.flush();
  const { body } = await call(`${lab.url}/v1/reports/qoe${query}`, { headers: asRole('operator') });
  return body['rows'];
}

t.test('how playing went, by site, appliance, device and title', async (t) => {
  const lab = await openLab(t, { still: true });
  const atA = { pathway: 'isp-a-1' };
  await tell(lab, [
    { ...atA, type: 'play', startMs: 300 },
    { ...atA, playedMs: 10_000, bitrateBps: 4_000_000 },
    { ...atA, playedMs: 10_000, bitrateBps: 2_000_000 },
    { ...atA, type: 'stall', stallMs: 5000 },
  ]);
  await tell(
    lab,
    [
      { pathway: 'isp-b-1', type: 'play', startMs: 3000 },
      { pathway: 'isp-b-1', type: 'error' },
    ],
    {
      'user-agent': 'Mozilla/5.0 (SMART-TV; Tizen 8.0)',
    },
  );
  await tell(lab, [{ pathway: 'no-such-box', type: 'play' }]);
  t.strictSame(await rows(lab, ''), [
    {
      ...{ name: 'isp-a', plays: 1, failures: 0, playedMs: 20_000, stalls: 1, stallMs: 5000 },
      ...{ rebufferRatio: 0.2, startMsP50: 400, startMsP95: 400, bitrateBps: 3_000_000 },
    },
    {
      ...{ name: 'isp-b', plays: 1, failures: 1, playedMs: 0, stalls: 0, stallMs: 0 },
      ...{ startMsP50: 3200, startMsP95: 3200 },
    },
  ]);
  t.match(await rows(lab, '?by=appliance'), [{ name: 'isp-a-1' }, { name: 'isp-b-1' }], 'no row by hearsay');
  t.match(await rows(lab, '?by=device'), [
    { name: 'other', plays: 2 },
    { name: 'tv', plays: 1, failures: 1 },
  ]);
  t.match(await rows(lab, '?by=title'), [{ name: 'A film', plays: 3 }]);
});

t.test('what is told without a session counts nowhere', async (t) => {
  const lab = await openLab(t, { still: true });
  await tell(lab, [{ type: 'play', pathway: 'isp-a-1' }], asRole('viewer'));
  t.strictSame(await rows(lab, ''), []);
});

t.test('events that come late count on their own day; days that are over are let go', async (t) => {
  const lab = await openLab(t, { still: true });
  const atA = { type: 'play', pathway: 'isp-a-1' } as const;
  await tell(lab, [{ ...atA }, { ...atA, timeMs: lab.clock.nowMs() - dayMs }]);
  t.match(await rows(lab, '?days=1'), [{ plays: 1 }]);
  t.match(await rows(lab, '?days=2'), [{ plays: 2 }]);
  await lab.clock.advance(500 * dayMs);
  await tell(lab, [{ ...atA }]);
  await lab.flush();
  t.equal((await lab.records.scan('qoe-sums')).length, 4, 'site, appliance, device and title of today');
});

t.test('an event counts once, wherever the process dies', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'nearcast-qoe-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const dies = coded('STORE_UNAVAILABLE');
  // Before the commit of what was added up, and between it and the log's own offset.
  const deaths: NonNullable<LabOptions['wrap']>[] = [
    ({ events, records }) => ({ events, records: withMethod(records, 'commit', () => Promise.reject(dies)) }),
    ({ events, records }) => {
      let commits = 0;
      const commit: typeof events.commit = (...of) =>
        commits++ < 3 ? events.commit(...of) : Promise.reject(dies);
      return { records, events: withMethod(events, 'commit', commit) };
    },
  ];
  for (const [at, wrap] of [...deaths, ...deaths].entries()) {
    const lab = await openLab(t, { directory, still: true, wrap });
    await tell(lab, [{ type: 'play', pathway: 'isp-a-1' }]);
    await t.rejects(lab.flush(), { code: 'STORE_UNAVAILABLE' }, `death ${at}`);
    await lab.close();
  }
  const lab = await openLab(t, { directory, still: true });
  t.match(await rows(lab, ''), [{ plays: 4 }]);
  await lab.close();
  const again = await openLab(t, { directory, still: true });
  t.match(await rows(again, ''), [{ plays: 4 }]);
});

t.test('out of order, repeated and a day late, over restarts: the report is the same', async (t) => {
  const event = fc.record({
    isLate: fc.boolean(),
    pathway: fc.constantFrom('isp-a-1', 'isp-b-1'),
    told: fc.oneof(
      fc.constant({ type: 'play' as const, startMs: 800 }),
      fc.nat(60_000).map((playedMs) => ({ type: 'progress' as const, playedMs })),
      fc.nat(5000).map((stallMs) => ({ type: 'stall' as const, stallMs })),
    ),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(event, { minLength: 1, maxLength: 30 }),
      fc.array(fc.nat(), { minLength: 1, maxLength: 60 }),
      async (made, order) => {
        const directory = await mkdtemp(join(tmpdir(), 'nearcast-qoe-order-'));
        const straight = await openLab(t, { still: true });
        let lab = await openLab(t, { directory, still: true });
        const nowMs = lab.clock.nowMs();
        const events = made.map(({ isLate, pathway, told }, at) => ({
          ...{ id: `ordered-${String(at)}`, timeMs: nowMs - (isLate ? dayMs : 0), pathway, ...told },
        }));
        await tell(straight, events);
        // Any of them at any time, some again and again; what was never sent comes at the end, backwards.
        for (const [at, pick] of order.entries()) {
          await tell(lab, [events[pick % events.length] ?? {}]);
          if (at % 7 === 0) await lab.flush();
          if (at % 20 !== 19) continue;
          await lab.close();
          lab = await openLab(t, { directory, still: true });
        }
        await tell(lab, events.toReversed());
        for (const query of ['?days=1', '?days=2', '?by=title&days=2'])
          t.strictSame(await rows(lab, query), await rows(straight, query));
        await lab.close();
        await straight.close();
        await rm(directory, { recursive: true, force: true });
      },
    ),
    { numRuns: 8 },
  );
});

t.test('neither order nor parting of events changes what they add up to', async () => {
  const event = fc.record<EventData<'player'>>(
    {
      timeMs: fc.constant(0),
      positionMs: fc.constant(0),
      type: fc.constantFrom('play', 'progress', 'stall', 'error', 'end', 'rendition', 'pathway'),
      playedMs: fc.nat(600_000),
      stallMs: fc.nat(10_000),
      startMs: fc.nat(600_000),
      // In steps, so that no sum is rounded.
      bitrateBps: fc.nat(100).map((megabits) => megabits * 1_000_000),
    },
    { requiredKeys: ['timeMs', 'positionMs', 'type'] },
  );
  const sum = (events: readonly EventData<'player'>[]): QoeSums =>
    events.reduce((sums, one) => addQoe(sums, qoeOf(one) ?? noQoe), noQoe);
  fc.assert(
    fc.property(fc.array(event, { maxLength: 40 }), fc.nat(), (events, cut) => {
      const at = cut % (events.length + 1);
      const parted = addQoe(sum(events.slice(at).toReversed()), sum(events.slice(0, at)));
      const row = qoeRow('x', parted);
      const isOrdered = (row.startMsP50 ?? 0) <= (row.startMsP95 ?? 0);
      const ratio = row.rebufferRatio ?? 0;
      return (
        isOrdered &&
        ratio >= 0 &&
        ratio <= 1 &&
        JSON.stringify(parted) === JSON.stringify(addQoe(noQoe, sum(events)))
      );
    }),
    { numRuns: 200 },
  );
});

function withMethod<T extends object, K extends keyof T>(of: T, name: K, method: T[K]): T {
  return new Proxy(of, {
    get: (target, key) => {
      if (key === name) return method;
      const value: unknown = Reflect.get(target, key);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
