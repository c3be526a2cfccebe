import fc from 'fast-check';
import t from 'tap';

import {
  admitUnder,
  calmLoad,
  judgeLoad,
  loadLevels,
  type Admission,
  type LoadSample,
  type LoadState,
} from '../../../appliance/core/judge-load.ts';
import { seededRandom } from '../../support/seeded.ts';

const idle: LoadSample = {
  diskDelayMs: 0,
  ttfbMs: 0,
  loopDelayMs: 0,
  lineShare: 0,
  connectionsShare: 0,
  requestsShare: 0,
};
const rank = ({ level }: LoadState): number => loadLevels.indexOf(level);
const after = (samples: readonly Partial<LoadSample>[], from = calmLoad): LoadState =>
  samples.reduce<LoadState>((state, sample) => judgeLoad(state, { ...idle, ...sample }), from);
const times = (count: number, sample: Partial<LoadSample>): Partial<LoadSample>[] =>
  new Array<Partial<LoadSample>>(count).fill(sample);

const samples = fc.array(
  fc.record({
    diskDelayMs: fc.double({ min: 0, max: 5000, noNaN: true }),
    ttfbMs: fc.double({ min: 0, max: 5000, noNaN: true }),
    loopDelayMs: fc.double({ min: 0, max: 2000, noNaN: true }),
    lineShare: fc.double({ min: 0, max: 1, noNaN: true }),
    connectionsShare: fc.double({ min: 0, max: 1.2, noNaN: true }),
    requestsShare: fc.double({ min: 0, max: 1.2, noNaN: true }),
  }),
  { maxLength: 200 },
);

t.test('each signal sheds what it should, with its reason', async (t) => {
  const cases: [Partial<LoadSample>, string, string[]][] = [
    [{ diskDelayMs: 249, ttfbMs: 249, loopDelayMs: 124, lineShare: 0.84 }, 'normal', []],
    [{ diskDelayMs: 250 }, 'shed-fill', ['BUSY_DISK']],
    [{ diskDelayMs: 60_000 }, 'shed-new', ['BUSY_DISK']],
    [{ ttfbMs: 600 }, 'shed-new', ['BUSY_LATENCY']],
    [{ ttfbMs: 1000 }, 'shed-all', ['OVERLOADED_LATENCY']],
    [{ loopDelayMs: 500, lineShare: 0.97 }, 'shed-all', ['OVERLOADED_CPU']],
    [{ lineShare: 0.97, connectionsShare: 0.97 }, 'shed-new', ['BUSY_LINE', 'BUSY_CONNECTIONS']],
    [{ requestsShare: 1.5 }, 'shed-new', ['BUSY_REQUESTS']],
  ];
  for (const [sample, level, reasons] of cases) {
    const state = after(times(2, sample));
    t.equal(state.level, level, JSON.stringify(sample));
    t.strictSame([...state.reasons], reasons);
  }
});

t.test('one bad sample sheds nothing, and a worse one between others does not count', async (t) => {
  t.equal(after([{ ttfbMs: 9000 }]).level, 'normal');
  t.equal(after([{ ttfbMs: 300 }, { ttfbMs: 9000 }]).level, 'shed-fill');
  t.equal(after([...times(50, {}), { loopDelayMs: 400 }, {}, { loopDelayMs: 400 }]).level, 'normal');
});

t.test('levels fall one by one, each after five calm seconds; the reason stays', async (t) => {
  const all = after(times(2, { ttfbMs: 2000 }));
  t.equal(after(times(19, {}), all).level, 'shed-all');
  const fresh = after(times(20, {}), all);
  t.equal(fresh.level, 'shed-new');
  t.strictSame([...fresh.reasons], ['BUSY_LATENCY']);
  t.equal(after(times(39, {}), all).level, 'shed-new');
  t.equal(after(times(60, {}), all).level, 'normal');
  t.strictSame([...after(times(60, {}), all).reasons], []);
});

t.test('just below where it was entered, a level stays', async (t) => {
  const fresh = after(times(2, { lineShare: 0.96 }));
  t.equal(after(times(500, { lineShare: 0.8 }), fresh).level, 'shed-new');
  t.equal(after(times(20, { lineShare: 0.7 }), fresh).level, 'shed-fill');
  t.equal(after(times(500, { lineShare: 0.7 }), fresh).level, 'shed-fill');
});

t.test('headroom falls at once, rises slowly, and is nothing while new sessions are refused', async (t) => {
  t.equal(after([{ lineShare: 0.475 }]).headroom, 0.5);
  t.equal(after(times(2, { lineShare: 0.96 })).headroom, 0);
  const back = after(times(41, {}), after(times(2, { lineShare: 0.96 })));
  t.ok(back.headroom > 0 && back.headroom < 0.25, String(back.headroom));
  t.equal(after(times(200, {}), back).headroom, 1);
});

t.test(
  'whatever comes: bounded headroom, reasons exactly when not normal, at least 20 samples to fall',
  async () => {
    fc.assert(
      fc.property(samples, (all) => {
        let state = calmLoad;
        let enteredAt = 0;
        all.forEach((sample, at) => {
          const next = judgeLoad(state, sample);
          if (!(next.headroom >= 0 && next.headroom <= 1)) throw new Error(`headroom ${next.headroom}`);
          if ((next.level === 'normal') !== (next.reasons.length === 0)) throw new Error('reasons');
          if (rank(next) >= 2 && next.headroom > 0) throw new Error('room while new sessions are refused');
          if (next.headroom > state.headroom + 0.010001) throw new Error('headroom jumps');
          if (rank(next) < rank(state) && (rank(next) !== rank(state) - 1 || at - enteredAt < 20))
            throw new Error('falls');
          if (rank(next) !== rank(state)) enteredAt = at;
          state = next;
        });
      }),
      { numRuns: 500 },
    );
  },
);

t.test('after whatever came, a load that stays has one level, which a higher load has at least', async () => {
  fc.assert(
    fc.property(samples, fc.double({ min: 0.1, max: 1, noNaN: true }), (all, share) => {
      const last = all.at(-1) ?? idle;
      const lower = Object.fromEntries(Object.entries(last).map(([name, value]) => [name, value * share]));
      const settled = after(times(100, last), after(all));
      if (after(times(100, last), settled).level !== settled.level) throw new Error('it flaps');
      if (rank(after(times(100, lower), settled)) > rank(settled)) throw new Error('less load sheds more');
    }),
    { numRuns: 300 },
  );
});

t.test('a drain wins over the load, except where the load refuses everyone', async (t) => {
  const of = (drain: Admission, level: (typeof loadLevels)[number]) => {
    const { admission, why, shedFill } = admitUnder(drain, level);
    return `${admission} ${why} ${String(shedFill)}`;
  };
  t.equal(of('all', 'normal'), 'all overloaded false');
  t.equal(of('all', 'shed-fill'), 'all overloaded true');
  t.equal(of('all', 'shed-new'), 'known-sessions overloaded true');
  t.equal(of('all', 'shed-all'), 'nobody overloaded true');
  t.equal(of('known-sessions', 'normal'), 'known-sessions draining false');
  t.equal(of('known-sessions', 'shed-new'), 'known-sessions draining true');
  t.equal(of('known-sessions', 'shed-all'), 'nobody overloaded true');
  for (const level of loadLevels) t.match(of('nobody', level), /^nobody draining/);
});

/**
 * A box with a line of 1000 segments a second, in steps of 250 ms. Sessions come at random, play for some minutes and ask
 * for a segment each 4 s; what the line cannot take waits in a queue, which is what their first byte waits for.
 */
function simulate({
  seed,
  arrivals,
  judged,
}: {
  seed: number;
  arrivals: (atS: number) => number;
  judged: boolean;
}) {
  const random = seededRandom(seed);
  const capacity = 250;
  let state = calmLoad;
  let sessions = 0;
  let queue = 0;
  let changes = 0;
  let refused = 0;
  let worstMs = 0;
  let sent = 0;
  const steps = 4 * 3600;
  for (let step = 0; step < steps; step++) {
    const coming = arrivals(step / 4) / 4;
    const fresh = Math.floor(coming) + (random() < coming % 1 ? 1 : 0);
    if (judged && rank(state) >= 2) refused += fresh;
    else sessions += fresh;
    // A session lasts ten minutes in the mean.
    for (let i = sessions; i > 0; i--) if (random() < 1 / 2400) sessions--;
    const asked = Math.round((sessions / 16) * (0.6 + 0.8 * random()));
    queue += asked;
    const served = Math.min(queue, capacity);
    queue -= served;
    sent += served;
    const ttfbMs = (queue / capacity) * 250;
    worstMs = Math.max(worstMs, ttfbMs);
    // Known sessions are refused at the last level: what waits is answered 429.
    if (judged && state.level === 'shed-all') queue = 0;
    const before = state;
    state = judgeLoad(state, { ...idle, ttfbMs, lineShare: (served / capacity) * 0.984 });
    if (state.level !== before.level) changes++;
  }
  return { changes, refused, worstMs, sentShare: sent / (capacity * steps) };
}

t.test(
  'an hour at one and a half times what the box can: no collapse, no flapping, a busy line',
  async (t) => {
    for (const seed of [1, 2, 3]) {
      const arrivals = () => 10;
      const box = simulate({ seed, arrivals, judged: true });
      t.ok(box.worstMs < 1000, `first byte ${Math.round(box.worstMs)} ms at worst`);
      t.ok(box.changes <= 60, `${box.changes} changes in an hour`);
      t.ok(box.sentShare > 0.6, `the line was ${Math.round(box.sentShare * 100)} % busy`);
      t.ok(box.refused > 0);
      t.ok(simulate({ seed, arrivals, judged: false }).worstMs > 10_000, 'which it would not be without');
    }
  },
);

t.test('an evening that fits is never shed; a flash crowd is, and then it is over', async (t) => {
  const evening = simulate({ seed: 7, arrivals: (atS) => 3.5 + 1.2 * Math.sin(atS / 600), judged: true });
  t.ok(evening.refused === 0, `${evening.refused} were refused`);
  const crowd = simulate({ seed: 8, arrivals: (atS) => (atS > 600 && atS < 660 ? 120 : 2), judged: true });
  t.ok(crowd.worstMs < 1500, `first byte ${Math.round(crowd.worstMs)} ms at worst`);
  t.ok(crowd.changes <= 20, `${crowd.changes} changes`);
});
