import fc from 'fast-check';
import t from 'tap';

import type { ViewingReport } from '../../../../../common/contract/viewing.ts';
import { joinRows } from '../../../../../common/core/viewing-state.ts';
import {
  judgeReport,
  viewingsKeptMs,
} from '../../../../../control-plane/services/users/core/judge-report.ts';
import { deviceKey, rowsOfReport } from '../../../../../control-plane/services/users/core/report-rows.ts';
import { resumePosition } from '../../../../../control-plane/services/users/core/shelves.ts';

const titleId = 'title_abcdefgh';
const title = { name: 'A film', durationMs: 6_000_000 };
const sentAtMs = 1_800_000_000_000;

const progress = (more: object = {}): ViewingReport => ({
  kind: 'progress',
  ...{ titleId, sequence: 1, viewingId: 'viewing-1' },
  ...{ startedAtMs: sentAtMs - 60_000, atMs: sentAtMs - 1000, positionMs: 50_000, watchedMs: 40_000 },
  ...more,
});

t.test('a report is judged by what can be', async (t) => {
  const judge = (report: ViewingReport, of: typeof title | { name: string } | undefined = title) =>
    judgeReport(report, { sentAtMs, title: of });
  t.strictSame(judge(progress()), { ok: true, value: progress() });
  t.match(judge(progress({ positionMs: 6_005_000 })), { ok: true, value: { positionMs: 6_000_000 } });
  t.match(judge(progress({ positionMs: 6_010_001 })), { code: 'POSITION_BEYOND_END' });
  t.match(judge(progress({ watchedMs: 864_000_000 })), { ok: true, value: { watchedMs: 59_000 } });
  t.match(judge(progress({ startedAtMs: sentAtMs })), { code: 'VIEWING_TIME_INVALID' });
  t.match(judge(progress({ atMs: sentAtMs + 1 })), { code: 'VIEWING_TIME_INVALID' });
  t.match(judge(progress({ atMs: sentAtMs - viewingsKeptMs - 1, startedAtMs: 0 })), {
    code: 'VIEWING_TIME_INVALID',
  });
  t.match(judge(progress(), { name: 'being encoded' }), { code: 'TITLE_NOT_LIVE' });
  t.match(judgeReport(progress(), { sentAtMs, title: undefined }), { code: 'TITLE_UNKNOWN' });
  const list: ViewingReport = { kind: 'list', titleId, atMs: sentAtMs, sequence: 2, listed: true };
  t.strictSame(judge(list, { name: 'being encoded' }), { ok: true, value: list });
});

t.test('what devices say converges: whatever the order, whoever hears what, however often', async (t) => {
  const said = { titleId: fc.constantFrom('title_aaaaaaaa', 'title_bbbbbbbb') };
  const when = { atMs: fc.integer({ min: sentAtMs - 5, max: sentAtMs }), sequence: fc.nat(3) };
  const report: fc.Arbitrary<ViewingReport> = fc.oneof(
    fc.record({
      ...{ kind: fc.constant('progress' as const), ...said, ...when },
      ...{ viewingId: fc.constantFrom('viewing-1', 'viewing-2'), startedAtMs: fc.constant(sentAtMs - 5) },
      ...{ positionMs: fc.nat(7_000_000), watchedMs: fc.nat(10) },
    }),
    fc.record({ kind: fc.constant('list' as const), ...said, ...when, listed: fc.boolean() }),
    fc.record({
      ...{ kind: fc.constant('rating' as const), ...said, ...when },
      rating: fc.constantFrom('none', 'down', 'up', 'love'),
    }),
    fc.record({ kind: fc.constant('forget' as const), ...said, ...when }),
    fc.record({ kind: fc.constant('hide' as const), ...said, ...when, hidden: fc.boolean() }),
  );
  const device = fc.constantFrom('the-tv-00', 'the-phone');
  const heard = fc.tuple(device, report);
  fc.assert(
    fc.property(fc.array(heard, { maxLength: 20 }), fc.array(fc.nat(), { maxLength: 40 }), (all, order) => {
      const rowsOf = ([deviceId, one]: [string, ViewingReport]) => {
        const judged = judgeReport(one, { sentAtMs, title });
        const by = { profileId: 'prf_a', deviceId: deviceKey('prf_a', deviceId) };
        return judged.ok ? [rowsOfReport(judged.value, by)] : [];
      };
      const whole = joinRows(...all.flatMap(rowsOf));
      const replica = (from: typeof all) => joinRows(...from.flatMap(rowsOf));
      const mixed = order.flatMap((at) => (all.length === 0 ? [] : [all[at % all.length]!]));
      const cut = Math.floor(all.length / 2);
      t.strictSame(replica([...mixed, ...all.toReversed()]), whole);
      t.strictSame(
        joinRows(replica([...all.slice(cut), ...mixed]), replica(all.slice(0, cut)), replica(mixed)),
        whole,
      );
    }),
    { numRuns: 60 },
  );
});

t.test('devices are told apart within a profile, and not recognised in another', async (t) => {
  t.equal(deviceKey('prf_a', 'tv'), deviceKey('prf_a', 'tv'));
  t.not(deviceKey('prf_a', 'tv'), deviceKey('prf_a', 'phone'));
  t.not(deviceKey('prf_a', 'tv'), deviceKey('prf_b', 'tv'));
  t.match(deviceKey('prf_a', 'tv'), /^[\w-]{16}$/);
});

t.test('playing goes on between the beginning and the credits', async (t) => {
  const hourMs = 3_600_000;
  t.equal(resumePosition(0, hourMs), undefined);
  t.equal(resumePosition(29_999, hourMs), undefined);
  t.equal(resumePosition(30_000, hourMs), 30_000);
  t.equal(resumePosition(hourMs * 0.95, hourMs), hourMs * 0.95);
  t.equal(resumePosition(hourMs * 0.96, hourMs), undefined);
  t.equal(resumePosition(hourMs, hourMs), undefined);
  t.equal(resumePosition(1000, 10_000), 1000, 'of a short one sooner');
  t.equal(resumePosition(0, 0), undefined);
});
