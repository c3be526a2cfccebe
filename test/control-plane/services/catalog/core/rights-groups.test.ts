import fc from 'fast-check';
import t from 'tap';
import { groupOf, soonestGroups } from '../../../../../control-plane/services/catalog/core/rights-groups.ts';
import { maySee } from '../../../../../control-plane/core/rights.ts';

const nowMs = 1000;
const groupDuring = (fromMs: number | undefined, toMs: number | undefined) =>
  groupOf([
    {
      release: {
        stage: 'published',
        windows: [{ ...(fromMs !== undefined && { fromMs }), ...(toMs !== undefined && { toMs }) }],
      },
    },
  ]);

t.test('of many groups those in force are kept, then the soonest', async (t) => {
  const over = Array.from({ length: 70 }, (_, at) => groupDuring(0, at + 1));
  const draft = groupOf([{ release: { stage: 'draft' } }]);
  const [open, soon, late] = [groupDuring(0, 2000), groupDuring(1100, 1200), groupDuring(5000, undefined)];
  t.strictSame(
    soonestGroups([...over, draft, late, soon, open], { max: 3, nowMs }),
    [open, soon, late].map(({ key }) => key),
  );
  const season = groupOf([{}, { release: { stage: 'published', windows: [{ fromMs: 1050 }] } }]);
  t.equal(soonestGroups([soon, season], { max: 1, nowMs })[0], season.key, 'what it is part of counts');
});

t.test('what anybody may see now comes before what nobody may', async (t) => {
  const time = fc.option(fc.integer({ min: 0, max: 2000 }), { nil: undefined });
  fc.assert(
    fc.property(fc.array(fc.tuple(time, time), { maxLength: 8 }), fc.nat(8), (windows, max) => {
      const groups = windows.map(([fromMs, toMs]) => groupDuring(fromMs, toMs));
      const isOpen = (key: string): boolean =>
        maySee(groups.find((one) => one.key === key)?.licensed ?? [], { maturityMax: 18 }, nowMs);
      const kept = soonestGroups(groups, { max, nowMs });
      const all = [...new Set(groups.map(({ key }) => key))];
      t.equal(kept.length, Math.min(max, all.length));
      t.equal(kept.filter(isOpen).length, Math.min(max, all.filter(isOpen).length));
    }),
  );
});
