import fc from 'fast-check';
import t from 'tap';

import {
  afterSession,
  beliefAt,
  expectedShare,
  forecastChances,
  shareLevels,
  usualChances,
  type Belief,
} from '../../../control-plane/core/viewings.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const usual = usualChances(1000);
const unknown: Belief = { chances: usual, atMs: 0, sessions: 0 };

/** What is believed after some hours in which so many sessions of a thousand were the title's. */
function watch(belief: Belief, { hours, ofThousand }: { hours: number; ofThousand: number }): Belief {
  let now = belief;
  for (let hour = 0; hour < hours; hour++) {
    for (let session = 0; session < ofThousand; session++) {
      const moment = {
        atMs: now.atMs + hourMs / (ofThousand + 1),
        sessions: now.sessions + (1000 - ofThousand) / ofThousand,
      };
      now = afterSession(beliefAt(now, moment, usual));
    }
    if (ofThousand === 0)
      now = beliefAt(now, { atMs: now.atMs + hourMs, sessions: now.sessions + 1000 }, usual);
  }
  return now;
}

const shareOf = ({ chances }: Belief): number => expectedShare(chances);

t.test('so many titles of which nothing is known have all sessions together', async (t) => {
  for (const titles of [10, 1000, 100_000]) {
    t.ok(Math.abs(titles * expectedShare(usualChances(titles)) - 1) < 0.01, `${titles} titles`);
  }
});

t.test('a forecast is believed to about what it says', async (t) => {
  for (const share of [0.1, 0.001, 0.00001]) {
    const ratio = expectedShare(forecastChances(share)) / share;
    t.ok(ratio > 0.8 && ratio < 2, `${share}: ${ratio}`);
  }
});

t.test('a share is found, and found again when it has changed', async (t) => {
  const popular = watch(unknown, { hours: 24, ofThousand: 20 });
  t.ok(Math.abs(shareOf(popular) / 0.02 - 1) < 0.4, `${shareOf(popular)} of 0.02`);
  const fallen = watch(popular, { hours: 6, ofThousand: 0 });
  t.ok(shareOf(fallen) < 0.001, `${shareOf(fallen)} after six hours of silence`);
  const back = watch(fallen, { hours: 1, ofThousand: 20 });
  t.ok(shareOf(back) > 0.01, `${shareOf(back)} an hour after it came back`);
});

t.test('one session is no trend', async (t) => {
  const silent = beliefAt(unknown, { atMs: dayMs, sessions: 10_000 }, usual);
  t.ok(shareOf(silent) < shareOf(unknown));
  t.ok(shareOf(afterSession(silent)) < 0.01);
});

t.test('what a title has besides is not believed twice', async (t) => {
  const all = shareOf(afterSession(unknown));
  const besides = shareOf(afterSession(unknown, 0.1));
  t.ok(besides < all && besides >= shareOf(unknown));
});

t.test('chances are chances, whatever happens', async () => {
  const happening = fc.record({
    gapMs: fc.integer({ min: 0, max: 400 * dayMs }),
    others: fc.integer({ min: 0, max: 1e9 }),
    isOwn: fc.boolean(),
    known: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 20 }), (happenings) => {
      let belief = unknown;
      for (const { gapMs, others, isOwn, known } of happenings) {
        const moment = { atMs: belief.atMs + gapMs, sessions: belief.sessions + others };
        const later = beliefAt(belief, moment, usual);
        if (gapMs + others > 0 && later.sessions !== moment.sessions) return false;
        belief = isOwn ? afterSession(later, known) : later;
        const sum = belief.chances.reduce((total, chance) => total + chance, 0);
        if (!(Math.abs(sum - 1) < 1e-9) || belief.chances.some((chance) => !(chance >= 0))) return false;
      }
      const share = shareOf(belief);
      return share >= shareLevels[0]! * 0.999 && share <= 0.5001;
    }),
  );
});

t.test('the past changes nothing', async (t) => {
  const known = watch(unknown, { hours: 3, ofThousand: 5 });
  t.equal(beliefAt(known, { atMs: known.atMs - dayMs, sessions: known.sessions - 10 }, usual), known);
});
