import { cp, mkdtemp, rm, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t, { type Test } from 'tap';

import { openEventLog } from '../../../../common/adapters/events/log.ts';
import { openBooks } from '../../../../common/adapters/records/open.ts';
import type { PlayerEvent } from '../../../../common/contract/playback.ts';
import { createSeededChance } from '../../../../common/runtime/chance.ts';
import { createManualClock } from '../../../../common/runtime/manual-clock.ts';
import { playedEvents } from '../../../../control-plane/services/billing/played.ts';
import { createBilling, type Billing } from '../../../../control-plane/services/billing/service.ts';
import { answerEventLog, askForEventLog } from '../../../../control-plane/services/events/event-log.ts';
import type { FollowedLog } from '../../../../control-plane/services/log-follower.ts';
import { onLost } from '../../../support/on-lost.ts';
import { planOf, quiet, subscriptionOf } from '../../support/billing-lab.ts';

const startMs = Date.UTC(2026, 9, 5, 12);
const hourMs = 3_600_000;
const accounts = ['usr_anna-0001', 'usr_bert-0001', 'usr_cleo-0001'] as const;
/** Sessions are of accounts in turn. */
const sessionIds = Array.from({ length: 5 }, (_, at) => at.toString(16).padStart(32, '0'));
const accountOf = (at: number) => accounts[at % accounts.length] ?? '';
const meter = {
  ...{ metric: 'playback-seconds', name: 'Hours watched', unit: 'h', per: 3600, included: 0 },
  tiers: [{ price: '100' }],
};

/** What a player tells, in seconds since the beginning. */
interface Told {
  readonly at: number;
  readonly untilS: number;
  readonly playedS: number;
  readonly type?: PlayerEvent['type'];
}

/** Dies at the `at`th time that something is written, before or after it is. */
interface Cut {
  readonly at: number;
  readonly isAfter: boolean;
}

/** Billing that follows a log, both in files; it may die at any write, and the log may be replaced. */
async function openLab(t: Test, { trialDays = 0 } = {}) {
  const directory = await mkdtemp(join(tmpdir(), 'nearcast-played-'));
  const clock = createManualClock({ nowMs: startMs });
  const books = await openBooks(`sqlite://${join(directory, 'billing.db')}`, { onLost });
  let logs = 0;
  let path = join(directory, 'log-0');
  let current = await openEventLog(path);
  let cut: Cut | undefined;
  let writes = 0;
  const written = async <T>(write: () => Promise<T>): Promise<T> => {
    const number = ++writes;
    const dead = () => new Error('the process has died');
    if (cut !== undefined && (number > cut.at || (number === cut.at && !cut.isAfter))) throw dead();
    const result = await write();
    if (number === cut?.at) throw dead();
    return result;
  };
  const cuttable = new Proxy(books, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      const call = (...args: unknown[]): unknown => Reflect.apply(value, target, args);
      if (name !== 'book' && name !== 'commit') return call;
      return (...args: unknown[]) => written(async () => call(...args));
    },
  });
  const here = () => askForEventLog(answerEventLog(current), playedEvents);
  const events: FollowedLog = {
    read: (after) => here().read(after),
    wait: (after, signal) => here().wait(after, signal),
    end: () => here().end(),
    commit: (consumer, place) => written(() => here().commit(consumer, place)),
  };
  let lives = 0;
  const live = (): Billing =>
    createBilling({ ...quiet, books: cuttable, events, clock, chance: createSeededChance(++lives) });
  let billing = live();
  const restart = (): void => {
    cut = undefined;
    billing = live();
  };
  const close = async (): Promise<void> => {
    await current.close();
    await books.close();
    await rm(directory, { recursive: true, force: true });
  };
  const plan = planOf(999, { trialDays });
  const withMeter = { ...plan, prices: plan.prices.map((price) => ({ ...price, meters: [meter] })) };
  await billing.offers.putPlan('basic', withMeter);
  await billing.offers.putPlan('flat', plan);
  for (const [at, account] of accounts.entries()) {
    const wanted = subscriptionOf(account, { plan: at === 2 ? 'flat' : 'basic' });
    const ask = { caller: 'x', key: account, request: [] };
    await billing.once(ask, (batch) => billing.subscriptions.add(batch, wanted));
  }
  return {
    ...{ clock, books, close, restart },
    writes: () => writes,
    billing: () => billing,
    status: () => current.status(),
    begin: async () => {
      for (const [at, session] of sessionIds.entries()) await billing.played.begin(session, accountOf(at));
    },
    async tell(all: readonly Told[]): Promise<void> {
      if (all.length === 0) return;
      await current.append(
        all.map(({ at, untilS, playedS, type = 'progress' }) => ({
          ...{ type: 'player', timeMs: clock.nowMs() },
          data: {
            ...{ type, timeMs: startMs + untilS * 1000, positionMs: 0, playedMs: playedS * 1000 },
            session: sessionIds[at],
          },
        })),
      );
    },
    /** Counts what is there; with a cut as a process that dies by it and is started again. */
    async count(at?: Cut): Promise<void> {
      [cut, writes] = [at, 0];
      await billing.played.catchUp().catch((error: unknown) => {
        if (at === undefined) throw error;
      });
      restart();
      await billing.played.catchUp();
    },
    /** Puts another log in its place: one that holds the same, or an empty one. */
    async replace({ byCopy }: { byCopy: boolean }): Promise<void> {
      await current.close();
      const before = path;
      path = join(directory, `log-${String(++logs)}`);
      if (byCopy) {
        await cp(before, path, { recursive: true });
        await unlink(join(path, 'log-id'));
      }
      current = await openEventLog(path);
      restart();
    },
    /** What each account has used, in seconds. */
    async used(): Promise<number[]> {
      const { sums } = await billing.usage.sums({ limit: 1000 });
      return accounts.map((account) =>
        sums
          .filter((one) => one.account === account && one.metric === meter.metric)
          .reduce((sum, { quantity }) => sum + quantity, 0),
      );
    },
  };
}

/** Counted by itself: each second of a session once, where its account is charged. */
function expected(all: readonly Told[]): number[] {
  const seconds = new Set<string>();
  for (const { at, untilS, playedS } of all)
    for (let second = untilS - playedS; second < untilS; second++) seconds.add(`${at} ${second}`);
  return accounts.map((_, account) =>
    account === 2
      ? 0
      : [...seconds].filter((one) => Number(one.split(' ')[0]) % accounts.length === account).length,
  );
}

const told = fc.record({
  at: fc.nat({ max: sessionIds.length - 1 }),
  untilS: fc.integer({ min: 100, max: 3000 }),
  playedS: fc.nat({ max: 600 }),
  type: fc.constantFrom('progress' as const, 'progress', 'end'),
});
const step = fc.oneof(
  fc.record({ does: fc.constant('tell' as const), all: fc.array(told, { maxLength: 8 }) }),
  fc.record({ does: fc.constant('again' as const) }),
  fc.record({
    does: fc.constant('count' as const),
    cut: fc.option(fc.record({ at: fc.integer({ min: 1, max: 6 }), isAfter: fc.boolean() }), {
      nil: undefined,
    }),
  }),
  fc.record({ does: fc.constantFrom('copy' as const, 'anew' as const) }),
);

t.test(
  'what sessions play is usage of their accounts once: told twice, out of order, after deaths at any write, and of another log',
  async (t) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const lab = await openLab(t);
        try {
          await lab.begin();
          await lab.clock.advance(2 * hourMs);
          const all: Told[] = [];
          for (const one of steps) {
            await lab.clock.advance(1000);
            if (one.does === 'tell') {
              all.push(...one.all);
              await lab.tell(one.all);
            } else if (one.does === 'again') await lab.tell(all.toReversed());
            else if (one.does === 'count') await lab.count(one.cut);
            else {
              await lab.count();
              await lab.replace({ byCopy: one.does === 'copy' });
            }
          }
          await lab.count();
          await lab.clock.advance(26 * hourMs);
          // A death while what is over is forgotten, too.
          await lab.count({ at: 1, isAfter: true });
          const [used, wanted] = [await lab.used(), expected(all)];
          if (used.join() !== wanted.join()) throw new Error(`used ${used.join()}, played ${wanted.join()}`);
          const { faults } = await lab.billing().verify();
          if (faults.length > 0) throw new Error(faults.join('\n'));
          const kept = await lab.books.scan('played');
          if (kept.length > 0) throw new Error(`it is still known whose ${kept.length} sessions are`);
        } finally {
          await lab.close();
        }
      }),
      { numRuns: 60 },
    );
  },
);

t.test('a death at each write of one counting leaves each second counted once', async (t) => {
  const all = [
    { at: 0, untilS: 1000, playedS: 600 },
    { at: 0, untilS: 400, playedS: 100 },
    { at: 1, untilS: 1000, playedS: 600 },
    { at: 1, untilS: 400, playedS: 50 },
    { at: 0, untilS: 1200, playedS: 100, type: 'end' as const },
  ];
  let cuts = 0;
  for (let at = 1; at <= 4; at++)
    for (const isAfter of [false, true]) {
      const lab = await openLab(t);
      await lab.begin();
      await lab.clock.advance(hourMs);
      await lab.tell(all);
      await lab.count({ at, isAfter });
      t.strictSame(await lab.used(), [800, 650, 0], `at write ${at}, ${isAfter ? 'after' : 'before'} it`);
      await lab.tell(all);
      await lab.count();
      t.strictSame(await lab.used(), [800, 650, 0], 'told again');
      await lab.close();
      cuts++;
    }
  t.equal(cuts, 8);
});

t.test(
  'usage grows by ten minutes and when a session ends, is invoiced, and shows in the log as read',
  async (t) => {
    const lab = await openLab(t);
    await lab.begin();
    await lab.clock.advance(hourMs);
    await lab.tell([{ at: 0, untilS: 500, playedS: 500 }]);
    await lab.count();
    t.strictSame(await lab.used(), [0, 0, 0], 'less waits');
    await lab.tell([{ at: 0, untilS: 1000, playedS: 500 }]);
    await lab.count();
    t.strictSame(await lab.used(), [1000, 0, 0]);
    await lab.tell([{ at: 0, untilS: 1801, playedS: 1, type: 'end' }]);
    await lab.count();
    t.strictSame(await lab.used(), [1001, 0, 0]);
    const { lastOffset, consumers } = await lab.status();
    t.strictSame(consumers, [{ name: 'billing-usage', offset: lastOffset }]);
    const [subscription] = await lab.billing().subscriptions.list({ account: accounts[0], limit: 1 });
    t.match(await lab.billing().metered.due(subscription?.id ?? ''), {
      lines: [{ metric: 'playback-seconds', quantity: 1001, amount: 28 }],
    });
    await lab.close();
  },
);

t.test('never more than the time that a session has lasted, whatever its player tells', async (t) => {
  const lab = await openLab(t);
  await lab.begin();
  await lab.clock.advance(900_000);
  const absurd = Array.from({ length: 50 }, (_, at) => ({ at: 0, untilS: -5e5 + at * 600, playedS: 600 }));
  await lab.tell(absurd);
  await lab.count();
  t.strictSame(await lab.used(), [900, 0, 0]);
  await lab.close();
});

t.test('what is watched on trial is not charged, and nothing where no meter is', async (t) => {
  const lab = await openLab(t, { trialDays: 1 });
  await lab.clock.advance(23 * hourMs);
  await lab.begin();
  await lab.clock.advance(2 * hourMs);
  const beganS = 23 * 3600;
  await lab.tell([0, 2].map((at) => ({ at, untilS: beganS + 600, playedS: 600, type: 'end' as const })));
  await lab.count();
  const [subscription] = await lab.billing().subscriptions.list({ account: accounts[0], limit: 1 });
  t.match(subscription, { state: 'active' });
  t.match(await lab.billing().metered.due(subscription?.id ?? ''), { lines: [] });
  t.strictSame(await lab.used(), [600, 0, 0], 'it is summed up');
  const kept = await lab.books.scan('played');
  t.notOk(kept.some(({ value }) => (value as { account: string }).account === accounts[2]));
  await lab.close();
});

t.test('the log is not asked until a session is charged, and followed from then on', async (t) => {
  const lab = await openLab(t);
  await lab.clock.advance(hourMs);
  const stopping = new AbortController();
  const running = lab.billing().played.run(stopping.signal);
  t.strictSame((await lab.status()).consumers, []);
  await lab.begin();
  while ((await lab.status()).consumers.length === 0) await new Promise((resolve) => setImmediate(resolve));
  stopping.abort();
  await running;
  // Where another has begun, it goes on without one.
  lab.restart();
  const again = new AbortController();
  const followed = lab.billing().played.run(again.signal);
  await lab.clock.advance(hourMs);
  await lab.tell([{ at: 0, untilS: 600, playedS: 600 }]);
  while ((await lab.used())[0] === 0) {
    await lab.clock.advance(5000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  again.abort();
  await followed;
  t.strictSame(await lab.used(), [600, 0, 0]);
  await lab.close();
});

t.test('sessions that begin together wait for the disk together, one that begins twice is one', async (t) => {
  const lab = await openLab(t);
  const before = lab.writes();
  const some = Array.from({ length: 40 }, (_, at) => (at % 20).toString(16).padStart(32, '0'));
  await Promise.all(some.map((session) => lab.billing().played.begin(session, accounts[0])));
  t.equal(lab.writes() - before, 1);
  t.equal((await lab.books.scan('played')).length, 20);
  await lab.clock.advance(hourMs);
  await lab.tell([{ at: 0, untilS: 600, playedS: 600 }]);
  await lab.count();
  await lab.billing().played.begin(some[0] ?? '', accounts[0]);
  t.strictSame(await lab.used(), [600, 0, 0]);
  const of = await lab.billing().played.of(accounts[0]);
  t.match(of[0], { seconds: 600 }, 'nothing begins anew');
  await lab.close();
});

t.test('whoever is erased is charged nothing more, and nobody knows whose the sessions were', async (t) => {
  const lab = await openLab(t);
  await lab.begin();
  await lab.clock.advance(hourMs);
  await lab.tell([{ at: 0, untilS: 600, playedS: 600 }]);
  t.match(await lab.billing().personal.export(accounts[0]), { playing: [{ session: sessionIds[0] }, { session: sessionIds[3] }] }); // prettier-ignore
  await lab.billing().personal.erase(accounts[0]);
  const kept = await lab.books.scan('played');
  t.strictSame(kept.map(({ value }) => (value as { account: string }).account), [accounts[1], accounts[1]]); // prettier-ignore
  await lab.count();
  t.strictSame(await lab.used(), [0, 0, 0]);
  await lab.close();
});

t.test('what is counted here nobody else tells', async (t) => {
  const lab = await openLab(t);
  const record = { account: accounts[0], metric: 'playback-seconds', quantity: 60, atMs: startMs };
  const reply = await lab.billing().usage.add({ records: [{ id: 'told-0001', ...record }] });
  t.match(reply, { accepted: 0, refused: [{ index: 0, code: 'INVALID' }] });
  await lab.close();
});
