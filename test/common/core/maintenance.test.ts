import fc from 'fast-check';
import t from 'tap';
import type { MaintenanceWindow } from '../../../common/contract/maintenance.ts';
import { describeMaintenance, maintenanceOf, nextMaintenanceMs } from '../../../common/core/maintenance.ts';

const window = (more: Partial<MaintenanceWindow>): MaintenanceWindow => ({
  id: 'mnt_00000001',
  startMs: 1000,
  endMs: 2000,
  drainMs: 100,
  reason: 'new fan',
  ...more,
});
const node = { id: 'box', site: 'isp-a' };

t.test('from the drain before it until its end, for one appliance or all of a site', (t) => {
  const one = window({ appliance: 'box' });
  const at = (nowMs: number, windows = [one]) => maintenanceOf(windows, node, nowMs) !== undefined;
  t.strictSame([899, 900, 1999, 2000].map((nowMs) => at(nowMs)), [false, true, true, false]); // prettier-ignore
  t.ok(at(1500, [window({ site: 'isp-a' })]));
  t.notOk(at(1500, [window({ site: 'isp-b' }), window({ appliance: 'other' }), window({})]));
  const longer = window({ site: 'isp-a', endMs: 9000, reason: 'longer' });
  t.equal(maintenanceOf([longer, one], node, 1500)?.reason, 'longer');
  t.equal(
    describeMaintenance(one),
    'planned maintenance from 1970-01-01T00:00:01Z until 1970-01-01T00:00:02Z: new fan',
  );
  t.end();
});

t.test('between two of the times at which something changes nothing does', (t) => {
  const anyWindow = fc
    .record({ startMs: fc.nat(500), lengthMs: fc.integer({ min: 1, max: 300 }), drainMs: fc.nat(200) })
    .map(({ startMs, lengthMs, drainMs }) =>
      window({ appliance: 'box', startMs, endMs: startMs + lengthMs, drainMs }),
    );
  fc.assert(
    fc.property(
      fc.array(anyWindow, { maxLength: 5 }),
      fc.integer({ min: -300, max: 900 }),
      (windows, nowMs) => {
        const isNow = maintenanceOf(windows, node, nowMs) !== undefined;
        const nextMs = nextMaintenanceMs(windows, nowMs) ?? nowMs + 1000;
        for (let ms = nowMs; ms < nextMs; ms++) {
          if ((maintenanceOf(windows, node, ms) !== undefined) !== isNow) return false;
        }
        return true;
      },
    ),
  );
  t.end();
});
