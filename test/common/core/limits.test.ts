import t from 'tap';

import { SingleFlight } from '../../../common/core/single-flight.ts';
import { TokenBucket } from '../../../common/core/token-bucket.ts';

t.test('a token bucket gives its burst, then its rate', async (t) => {
  const bucket = new TokenBucket({ ratePerSecond: 10, burst: 5, nowMs: 0 });
  t.ok(bucket.has(5, 0));
  t.ok(bucket.take(5, 0), 'to look takes nothing');
  t.notOk(bucket.has(1, 0));
  t.notOk(bucket.take(1, 0));
  t.notOk(bucket.take(1, 99));
  t.ok(bucket.take(1, 100));
  t.notOk(bucket.take(6, 1_000_000), 'never more than the burst');
  t.ok(bucket.take(5, 0), 'a clock that steps back takes nothing away');
});

t.test('a reservation above the burst waits for the rate', async (t) => {
  const bucket = new TokenBucket({ ratePerSecond: 1000, burst: 100, nowMs: 0 });
  t.equal(bucket.reserve(100, 0), 0);
  t.equal(bucket.reserve(500, 0), 500);
  t.equal(bucket.reserve(500, 500), 500);
});

t.test('concurrent callers share a flight, a failure is not kept', async (t) => {
  const flights = new SingleFlight<number>();
  let starts = 0;
  const land = Promise.withResolvers<number>();
  const start = () => {
    starts++;
    return land.promise;
  };
  const both = [flights.run('a', start), flights.run('a', start)];
  t.equal(flights.size, 1);
  land.resolve(7);
  t.strictSame(await Promise.all(both), [7, 7]);
  t.equal(starts, 1);
  await t.rejects(flights.run('a', () => Promise.reject(new Error('no'))));
  t.equal(await flights.run('a', () => Promise.resolve(8)), 8);
  t.equal(flights.size, 0);
});
