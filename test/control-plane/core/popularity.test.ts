import fc from 'fast-check';
import t from 'tap';
import {
  addServing,
  addWeights,
  forecastViewings,
  popularityHalfLives,
  popularityOf,
  regionalBytes,
  timesPerDay,
  trendingBytes,
  weightAt,
  type Weight,
} from '../../../control-plane/core/popularity.ts';

const startMs = Date.UTC(2026, 0, 1);
const { halfLifeMs, fastHalfLifeMs } = popularityHalfLives;
const hourMs = 3_600_000;

t.test('a serving counts half after each half-life', async (t) => {
  const weight = addServing(undefined, { bytes: 1000, atMs: startMs });
  t.strictSame(weightAt(weight, startMs), { bytes: 1000, fastBytes: 1000 });
  t.equal(weightAt(weight, startMs + fastHalfLifeMs).fastBytes, 500);
  t.equal(weightAt(weight, startMs + halfLifeMs).bytes, 500);
  t.equal(weightAt(weight, startMs + 2 * halfLifeMs).bytes, 250);
  t.strictSame(weightAt(undefined, startMs), { bytes: 0, fastBytes: 0 });
});

t.test('of what comes each hour alike it is known how much comes in a day', async (t) => {
  let weight: Weight | undefined;
  for (let hour = 0; hour < 60 * 24; hour++)
    weight = addServing(weight, { bytes: 10, atMs: startMs + hour * hourMs });
  const { bytes } = weightAt(weight, startMs + 60 * 24 * hourMs);
  t.ok(Math.abs(timesPerDay(bytes) - 240) < 4, String(timesPerDay(bytes)));
});

const serving = fc.record({
  bytes: fc.integer({ min: 0, max: 2 ** 40 }),
  atMs: fc.integer({ min: startMs, max: startMs + 30 * 24 * hourMs }),
});
const nowMs = startMs + 31 * 24 * hourMs;

function fold(servings: readonly { bytes: number; atMs: number }[]): Weight | undefined {
  let weight: Weight | undefined;
  for (const item of servings) weight = addServing(weight, item);
  return weight;
}

function isNear(one: Weight | undefined, other: Weight | undefined): boolean {
  const [a, b] = [weightAt(one, nowMs), weightAt(other, nowMs)];
  return (
    Math.abs(a.bytes - b.bytes) <= 1e-6 * Math.max(1, a.bytes) &&
    Math.abs(a.fastBytes - b.fastBytes) <= 1e-6 * Math.max(1, a.fastBytes)
  );
}

t.test('the order in which servings are added does not matter', async (t) => {
  fc.assert(
    fc.property(fc.array(serving, { minLength: 1, maxLength: 20 }), (servings) =>
      isNear(fold(servings), fold(servings.toReversed())),
    ),
  );
  t.pass('holds');
});

t.test('the weight of two sites is that of all that both have served', async (t) => {
  const servings = fc.array(serving, { minLength: 1, maxLength: 10 });
  fc.assert(
    fc.property(servings, servings, (here, there) =>
      isNear(addWeights(fold(here), fold(there)!), fold([...here, ...there])),
    ),
  );
  t.pass('holds');
});

t.test('popularity is smoothed bytes by size', async (t) => {
  const weight = { bytes: 3000, fastBytes: 3000, atMs: startMs };
  const files = [
    { weight, sizeBytes: 500 },
    { weight: undefined, sizeBytes: 500 },
  ];
  t.equal(popularityOf(files, startMs), 3);
  t.equal(popularityOf(files, startMs + halfLifeMs), 1.5);
  t.equal(popularityOf([], startMs), 0);
  t.equal(popularityOf([{ weight, sizeBytes: 0 }], startMs), 0);
});

/** A hundred plays an hour for so many hours, of a file of 1000 bytes, until `untilMs`. */
function steady(untilMs: number, hours: number, playsPerHour = 100): Weight {
  const servings = Array.from({ length: hours }, (_, ago) => ({
    bytes: playsPerHour * 1000,
    atMs: untilMs - ago * hourMs,
  }));
  return fold(servings)!;
}

t.test('what is new to the day rises within it', async (t) => {
  const untilMs = startMs + 60 * 24 * hourMs;
  const old = weightAt(steady(untilMs, 30 * 24), untilMs);
  const fresh = weightAt(steady(untilMs, 6), untilMs);
  const all = { bytes: 100 * old.bytes, fastBytes: 100 * old.fastBytes };
  t.equal(
    trendingBytes(old, { all, sizeBytes: 1000 }),
    old.bytes,
    'what has always been popular is as popular as it was',
  );
  const rising = trendingBytes(fresh, { all, sizeBytes: 1000 });
  t.ok(fresh.bytes < 0.125 * old.bytes, 'by the days it is an eighth as popular after six hours');
  t.ok(rising > 0.25 * old.bytes && rising < 0.6 * old.bytes, `${String(rising / old.bytes)} by the trend`);
});

t.test('the rhythm of the day is no trend, and neither is one viewer', async (t) => {
  const own = { bytes: 10_000, fastBytes: 2000 };
  const evening = { bytes: 1e9, fastBytes: 4e8 };
  t.equal(trendingBytes(own, { all: evening, sizeBytes: 1000 }), 10_000);
  const once = { bytes: 1000, fastBytes: 1000 };
  const all = { bytes: 12e9, fastBytes: 1e9 };
  t.ok(trendingBytes(once, { all, sizeBytes: 1000 }) < 2000);
  t.equal(trendingBytes(once, { all: { bytes: 0, fastBytes: 0 }, sizeBytes: 1000 }), 1000);
  t.equal(trendingBytes(once, { all, sizeBytes: 0 }), 1000);
});

t.test('a trend never lowers, and at most by what the last hours say', async (t) => {
  const bytes = fc.double({ min: 0, max: 1e12, noNaN: true });
  fc.assert(
    fc.property(bytes, bytes, fc.integer({ min: 1, max: 1e9 }), (slow, fast, sizeBytes) => {
      const all = { bytes: 1e13, fastBytes: 1e12 };
      const trending = trendingBytes({ bytes: slow, fastBytes: fast }, { all, sizeBytes });
      return trending >= slow && trending <= Math.max(slow, (slow + 10 * fast) / 2);
    }),
  );
  t.pass('holds');
});

t.test('a site is expected to want what its boxes serve, and its share of what all do', async (t) => {
  t.equal(regionalBytes({ own: 100, everywhere: 1000, siteShare: 0.1 }), 100);
  t.equal(regionalBytes({ own: 0, everywhere: 1000, siteShare: 0.1 }), 50, 'what it does not hold');
  t.equal(regionalBytes({ own: 100, everywhere: 100, siteShare: 0.1 }), 55, 'what only it wants');
});

t.test('a forecast stands until the launch, and fades as what is served comes in its stead', async (t) => {
  const forecast = { viewingsPerDay: 240, launchAtMs: startMs };
  const before = forecastViewings(forecast, startMs - 10 * 24 * hourMs);
  t.equal(forecastViewings(forecast, startMs), before);
  t.equal(forecastViewings(forecast, startMs + halfLifeMs), before / 2);
  for (const days of [1, 3, 10]) {
    const nowMs = startMs + days * 24 * hourMs;
    const served = weightAt(steady(nowMs, days * 24, 10), nowMs).bytes / 1000;
    const both = served + forecastViewings(forecast, nowMs);
    t.ok(
      Math.abs(both / before - 1) < 0.01,
      `${String(days)} days after a launch as forecast nothing has changed`,
    );
  }
});
