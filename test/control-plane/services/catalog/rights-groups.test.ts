import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { openSqliteRecords } from '../../../../common/adapters/records/sqlite.ts';
import { createManualClock } from '../../../../common/runtime/manual-clock.ts';
import { rightsIn } from '../../../../control-plane/core/title-rights.ts';
import { createRightsGroups } from '../../../../control-plane/services/catalog/rights-groups.ts';
import { familyOf, Titles } from '../../../../control-plane/services/catalog/titles.ts';
import { family, recordOf, toldOfTitle, viewers } from '../../support/title-family.ts';

t.testdir();

t.test('groups tell the same as the rights of each title, whatever changes', async (t) => {
  const change = fc.tuple(fc.nat({ max: family.length - 1 }), toldOfTitle);
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(toldOfTitle, { minLength: family.length, maxLength: family.length }),
      fc.array(change, { maxLength: 4 }),
      async (first, changes) => {
        const records = await openSqliteRecords(join(t.testdirName, `${String(runs++)}.db`));
        const titles = await Titles.open(records, { titlesMax: 100 });
        const clock = createManualClock({ nowMs: 5 });
        const rights = rightsIn(familyOf(titles), () => clock.nowMs());
        const groups = createRightsGroups(titles, clock);
        const touched = new Set<string>();
        titles.changes.add((each) => {
          for (const id of groups.touchedBy(each)) touched.add(id);
        });
        const index = new Map<string, string[]>();
        const check = (): void => {
          // As search does it: what is told of is asked for again.
          for (const id of touched) index.set(id, groups.of(id));
          touched.clear();
          for (const viewer of viewers) {
            const allowed = new Set(groups.allowed(viewer));
            for (const [id] of family) {
              const isFound = index.get(id)?.some((key) => allowed.has(key)) === true;
              if (isFound !== rights.isShown(id, viewer)) throw new Error(`${id} ${JSON.stringify(viewer)}`);
            }
          }
        };
        for (const [at, [more, wanted]] of first.entries()) await titles.add(recordOf(at, more, wanted));
        check();
        for (const [at, [more, wanted]] of changes) {
          await titles.change(family[at]?.[0] ?? '', () => recordOf(at, more, wanted));
          check();
        }
        for (const toMs of [10, 15, 20, 30]) {
          await clock.advance(toMs - clock.nowMs());
          check();
        }
        await records.close();
        const again = await openSqliteRecords(join(t.testdirName, `${String(runs - 1)}.db`));
        const reopened = await Titles.open(again, { titlesMax: 100 });
        const same = createRightsGroups(reopened, clock);
        for (const [id, keys] of index)
          t.strictSame(same.of(id), keys, 'an index is good for the next process');
        await again.close();
      },
    ),
    { numRuns: 40 },
  );
});
