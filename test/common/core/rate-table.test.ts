import fc from 'fast-check';
import t from 'tap';

import { RateTable } from '../../../common/core/rate-table.ts';
import { TokenBucket } from '../../../common/core/token-bucket.ts';

const rates = fc.record({
  burst: fc.integer({ min: 1, max: 500 }),
  perSecond: fc.double({ min: 0.5, max: 2000, noNaN: true }),
});

t.test('the burst at once, then the rate; what is refused costs nothing', (t) => {
  const table = new RateTable({ keysMax: 10 });
  const rate = { burst: 2, perSecond: 4 };
  t.strictSame(table.take('a', rate, 0), { isAllowed: true, remaining: 1, fullInMs: 250, retryAfterMs: 0 });
  t.strictSame(table.take('a', rate, 0), { isAllowed: true, remaining: 0, fullInMs: 500, retryAfterMs: 250 });
  t.strictSame(table.take('a', rate, 0), {
    isAllowed: false,
    remaining: 0,
    fullInMs: 500,
    retryAfterMs: 250,
  });
  t.match(table.take('b', rate, 0), { isAllowed: true }, 'of each key by itself');
  t.match(table.take('a', rate, 249), { isAllowed: false, retryAfterMs: 1 });
  t.match(table.take('a', rate, 250), { isAllowed: true });
  t.match(table.take('a', rate, 10_000), { isAllowed: true, remaining: 1 }, 'never more than the burst');
  t.end();
});

t.test('over 60 s a client that asks as soon as it may gets what it was promised, within 1 %', (t) => {
  fc.assert(
    fc.property(rates, (rate) => {
      const table = new RateTable({ keysMax: 10 });
      let allowed = 0;
      for (let nowMs = 0; nowMs <= 60_000;) {
        const { isAllowed, retryAfterMs } = table.take('client', rate, nowMs);
        if (isAllowed) allowed++;
        nowMs += retryAfterMs;
      }
      const promised = rate.burst + 60 * rate.perSecond;
      return Math.abs(allowed - promised) <= Math.max(1.001, 0.01 * promised);
    }),
    { numRuns: 60 },
  );
  t.end();
});

t.test('however unevenly it asks, it never gets more', (t) => {
  const gaps = fc.array(fc.double({ min: 0, max: 3, noNaN: true }), { minLength: 1, maxLength: 400 });
  fc.assert(
    fc.property(rates, gaps, (rate, factors) => {
      const table = new RateTable({ keysMax: 10 });
      let allowed = 0;
      let nowMs = 0;
      for (const factor of factors) {
        if (table.take('client', rate, nowMs).isAllowed) allowed++;
        nowMs += (factor * 1000) / rate.perSecond / 2;
      }
      return allowed <= rate.burst + (nowMs / 1000) * rate.perSecond + 1;
    }),
  );
  t.end();
});

t.test('decides as a token bucket does', (t) => {
  const steps = fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 300 });
  const rate = fc.record({
    burst: fc.integer({ min: 1, max: 20 }),
    perSecond: fc.constantFrom(1, 2, 4, 8, 125),
  });
  fc.assert(
    fc.property(rate, steps, ({ burst, perSecond }, waits) => {
      const table = new RateTable({ keysMax: 10 });
      const bucket = new TokenBucket({ ratePerSecond: perSecond, burst, nowMs: 0 });
      let nowMs = 0;
      return waits.every((wait) => {
        nowMs += wait;
        const mayTake = table.mayTake('k', { burst, perSecond }, nowMs);
        const { isAllowed } = table.take('k', { burst, perSecond }, nowMs);
        return isAllowed === mayTake && isAllowed === bucket.take(1, nowMs);
      });
    }),
  );
  t.end();
});

t.test('what it says is left may be taken, and one more after the wait that it names', (t) => {
  fc.assert(
    fc.property(rates, fc.nat(600), (rate, taken) => {
      const table = new RateTable({ keysMax: 10 });
      let last = table.take('k', rate, 0);
      for (let at = 0; at < taken; at++) last = table.take('k', rate, 0);
      for (let left = last.remaining; left > 0; left--) if (!table.take('k', rate, 0).isAllowed) return false;
      const refused = table.take('k', rate, 0);
      return !refused.isAllowed && table.take('k', rate, refused.retryAfterMs).isAllowed;
    }),
  );
  t.end();
});

t.test('holds so many keys and no more: the one that asked longest ago begins anew', (t) => {
  const table = new RateTable({ keysMax: 2 });
  const rate = { burst: 1, perSecond: 0.001 };
  for (const key of ['a', 'b']) t.ok(table.take(key, rate, 0).isAllowed);
  t.notOk(table.take('a', rate, 1).isAllowed);
  t.ok(table.take('c', rate, 2).isAllowed);
  t.notOk(table.take('a', rate, 3).isAllowed);
  t.ok(table.take('b', rate, 4).isAllowed);
  t.end();
});
