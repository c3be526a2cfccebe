import t from 'tap';

import { DrainEta } from '../../../appliance/core/drain-eta.ts';
import { BoxMetrics } from '../../../appliance/serving/box-metrics.ts';
import { openSockets } from '../../../appliance/serving/listen-sockets.ts';
import type { Metric } from '../../../appliance/serving/messages.ts';
import { RestartBackoff } from '../../../appliance/serving/restart-backoff.ts';
import { ServedTally } from '../../../appliance/serving/served-tally.ts';
import { SessionBook } from '../../../appliance/serving/session-book.ts';
import { sumLoads, sumReadings } from '../../../appliance/serving/unit.ts';
import { createManualClock } from '../../../common/runtime/manual-clock.ts';

t.test(
  'sessions are live for a while after their last request, noted seldom, and told once',
  async (test) => {
    const clock = createManualClock();
    const book = new SessionBook({ clock, sessionsMax: 3 });
    book.note('a');
    book.note('a');
    test.same(book.takeFresh(10), ['a']);
    await clock.advance(10_000);
    book.note('a');
    test.same(book.takeFresh(10), [], 'not again so soon');
    book.merge(['b']);
    test.same(book.takeFresh(10), [], 'what others told is not told again');
    test.ok(book.has('b'));
    await clock.advance(15_000);
    book.note('a');
    test.same(book.takeFresh(10), ['a']);
    test.equal(book.count(), 2);
    await clock.advance(80_000);
    test.notOk(book.has('b'));
    test.same(book.live(), ['a']);
    for (const session of ['c', 'd', 'e']) book.note(session);
    test.same(book.live(), ['c', 'd', 'e'], 'the longest silent makes room');
    test.same(book.takeFresh(2), ['c', 'd']);
    test.same(book.takeFresh(2), ['e']);
  },
);

t.test('a worker that dies is started at once, then later and later; a good life forgives', async (test) => {
  const backoff = new RestartBackoff();
  test.same([backoff.died(1000), backoff.died(1000)], [0, 250]);
  test.notOk(backoff.isFailing);
  test.equal(backoff.died(1000), 500);
  test.ok(backoff.isFailing);
  for (let deaths = 0; deaths < 40; deaths++) backoff.died(0);
  test.equal(backoff.died(0), 30_000);
  backoff.lives(29_000);
  test.ok(backoff.isFailing);
  backoff.lives(31_000);
  test.notOk(backoff.isFailing);
  test.equal(backoff.died(60_000), 0);
});

t.test('a drain is over when the last has left; until the first has left nothing is known', async (test) => {
  const eta = new DrainEta(1000);
  test.equal(eta.etaMs(2000, { liveSessions: 10, liveRequests: 4 }), undefined);
  test.equal(
    eta.etaMs(11_000, { liveSessions: 8, liveRequests: 4 }),
    40_000,
    'two in ten seconds, eight to go',
  );
  test.equal(eta.etaMs(41_000, { liveSessions: 12, liveRequests: 4 }), undefined, 'some were not known yet');
  test.equal(eta.etaMs(51_000, { liveSessions: 0, liveRequests: 1 }), 0, 'the last request is on its way');
  test.equal(eta.etaMs(51_000, { liveSessions: 0, liveRequests: 0 }), 0);
  const slow = new DrainEta(0);
  slow.etaMs(1, { liveSessions: 1000, liveRequests: 0 });
  test.equal(
    slow.etaMs(1_000_000, { liveSessions: 999, liveRequests: 0 }),
    86_400_000,
    'no token lives longer',
  );
});

t.test('served bytes are taken once', async (test) => {
  const tally = new ServedTally();
  tally.add('a', 'play', 10);
  tally.add('b', 'fill', 5);
  tally.add('a', 'play', 1);
  tally.add('a', 'picture', 3);
  test.same(tally.take(1), [['a', 11, 0, 3]]);
  tally.add('a', 'play', 2);
  test.same(tally.take(10), [
    ['b', 0, 5, 0],
    ['a', 2, 0, 0],
  ]);
  test.same(tally.take(10), []);
});

const metric = (name: string, value: number | null, aggregator = 'sum'): Metric => ({
  ...{ name, help: 'what it is', type: name.endsWith('_total') ? 'counter' : 'gauge', aggregator },
  values: [{ value, labels: { status: '200' } }],
});

t.test('metrics of dead processes stay in the sum; gauges do not', async (test) => {
  const box = new BoxMetrics();
  box.keep([metric('n_total', 5), metric('n_files', 5)]);
  box.keep([metric('n_total', 2)]);
  const text = await box.text([
    [metric('n_total', 1), metric('n_files', 3), metric('start_seconds', 77, 'omit')],
    [metric('n_total', 1), metric('n_files', 4), metric('start_seconds', 99, 'omit')],
    [metric('lag_seconds', 1, 'average'), metric('nan_seconds', null)],
    [metric('lag_seconds', 3, 'average')],
  ]);
  test.match(text, /^n_total\{status="200"\} 9$/m);
  test.match(text, /^n_files\{status="200"\} 7$/m);
  test.match(
    text,
    /^start_seconds\{status="200"\} 77$/m,
    'the first is the master, which started when the box did',
  );
  test.match(text, /^lag_seconds\{status="200"\} 3$/m);
  test.match(text, /^nan_seconds\{status="200"\} Nan$/m);
});

t.test('loads of several are summed, and the worst one says how full the box is', async (test) => {
  const calm = { headroom: 0.5, level: 'normal', reasons: [] } as const;
  const load = { liveRequests: 1, connections: 2, failures: 1, ...calm };
  const worse = { ...load, headroom: 0.1, level: 'shed-new', reasons: ['BUSY_DISK'] } as const;
  test.same(sumLoads([load, worse, load]), {
    ...{ liveRequests: 3, connections: 6, failures: 3 },
    ...{ headroom: 0.1, level: 'shed-new', reasons: ['BUSY_DISK'] },
  });
  const none = { liveRequests: 0, connections: 0, failures: 0, headroom: 1, level: 'normal', reasons: [] };
  test.same(sumLoads([]), none);
  const reading = {
    connections: 1,
    liveRequests: 1,
    diskDelayMs: 5,
    loopDelayMs: 9,
    ttfbCounts: [1, 2],
    sentBytes: 3,
  };
  test.same(sumReadings([reading, { ...reading, diskDelayMs: 7, loopDelayMs: 1, ttfbCounts: [] }]), {
    ...{ connections: 2, liveRequests: 2, diskDelayMs: 7, loopDelayMs: 9, ttfbCounts: [1, 2], sentBytes: 6 },
  });
});

t.test('sockets share an address among themselves only', async (test) => {
  const options = { shared: true, addon: undefined };
  const { first, maker } = await openSockets({ host: 'localhost', port: 0 }, options);
  const second = maker.make();
  test.not(first.fd, second.fd);
  const { createServer } = await import('node:net');
  const server = createServer();
  await new Promise<void>((resolve) => server.listen({ fd: second.fd }, resolve));
  test.teardown(() => server.close());
  await test.rejects(openSockets(maker.address, options), { code: 'ADDRESS_IN_USE' });
  await test.rejects(openSockets({ host: 'nowhere.invalid', port: 0 }, options), {
    code: 'ADDRESS_UNAVAILABLE',
  });
  first.close();
});
