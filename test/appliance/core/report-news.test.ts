import t from 'tap';
import { FailureWindow } from '../../../appliance/core/failure-window.ts';
import { isNews } from '../../../appliance/core/report-news.ts';
import type { BoxReport } from '../../../common/contract/health.ts';

const report = (more: Partial<BoxReport> = {}): BoxReport => ({
  sentAtMs: 1,
  state: 'ready',
  headroom: 0.5,
  level: 'normal',
  liveRequests: 1,
  liveSessions: 100,
  connections: 1,
  failures: 0,
  disks: { serving: 2, all: 2 },
  reasons: [],
  ...more,
});

t.test('what could change a decision is told at once, the rest with the next report', (t) => {
  const told = report();
  t.ok(isNews(told, undefined), 'the first');
  const quiet = [{}, { sentAtMs: 9 }, { liveRequests: 50 }, { headroom: 0.46 }, { liveSessions: 109 }];
  for (const more of quiet) t.notOk(isNews(report(more), told), JSON.stringify(more));
  const news: Partial<BoxReport>[] = [
    ...[{ state: 'draining' as const }, { level: 'shed-new' as const }, { headroom: 0.44 }],
    ...[{ liveSessions: 90 }, { disks: { serving: 1, all: 2 } }, { reasons: ['DISK_FAILED'] }],
  ];
  for (const more of news) t.ok(isNews(report(more), told), JSON.stringify(more));
  t.ok(isNews(report({ headroom: 0 }), report({ headroom: 0.01 })), 'full is another thing than nearly full');
  t.end();
});

t.test('failures of the last minute, by a count that grows or begins anew', (t) => {
  const window = new FailureWindow();
  t.equal(window.lately(7, 0), 0, 'what was before is not lately');
  t.equal(window.lately(10, 1000), 3);
  t.equal(window.lately(12, 30_000), 5);
  t.equal(window.lately(12, 60_000), 5);
  t.equal(window.lately(12, 61_500), 2, 'a minute later the first are forgotten');
  t.equal(window.lately(12, 200_000), 0);
  t.equal(window.lately(3, 201_000), 0, 'a worker is gone, and its count with it');
  t.equal(window.lately(4, 202_000), 1);
  t.end();
});
