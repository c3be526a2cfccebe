import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { openSqliteRecords } from '../../../../common/adapters/records/sqlite.ts';
import type { Release } from '../../../../common/contract/release.ts';
import type { TitleKind } from '../../../../common/contract/title-metadata.ts';
import { createManualClock } from '../../../../common/runtime/manual-clock.ts';
import type { TitleRecord } from '../../../../control-plane/services/catalog/records.ts';
import { createRights } from '../../../../control-plane/services/catalog/rights.ts';
import { createRightsGroups } from '../../../../control-plane/services/catalog/rights-groups.ts';
import { Titles } from '../../../../control-plane/services/catalog/titles.ts';

const window = fc.record(
  {
    regions: fc.subarray(['DE', 'AT'], { minLength: 1 }),
    fromMs: fc.constantFrom(0, 10, 20),
    toMs: fc.constantFrom(15, 30),
  },
  { requiredKeys: [] },
);
const release: fc.Arbitrary<Release> = fc.record({
  stage: fc.constantFrom('draft' as const, 'published' as const),
  windows: fc.array(window, { maxLength: 2 }),
});
const told = fc.record({ release, maturity: fc.constantFrom(0, 12, 18) }, { requiredKeys: [] });
const phase = fc.constantFrom('live' as const, 'encoding' as const);

/** A film with an extra, and a series with two seasons of two episodes each, an extra in one of them. */
const family: readonly [id: string, kind: TitleKind, parentId?: string][] = [
  ['title_film00000', 'movie'],
  ['title_extra0000', 'extra', 'title_film00000'],
  ['title_series000', 'series'],
  ['title_season001', 'season', 'title_series000'],
  ['title_season002', 'season', 'title_series000'],
  ['title_episode11', 'episode', 'title_season001'],
  ['title_episode12', 'episode', 'title_season001'],
  ['title_episode21', 'episode', 'title_season002'],
  ['title_episodex0', 'extra', 'title_episode21'],
];

type Told = typeof told extends fc.Arbitrary<infer T> ? T : never;

function recordOf(at: number, more: Told, wanted: 'live' | 'encoding'): TitleRecord {
  const [id = '', kind = 'movie', parentId] = family[at] ?? [];
  const isHolder = kind === 'series' || kind === 'season';
  return {
    ...{ version: 1, id, name: id, pinned: false, createdAtMs: at, sourceSizeBytes: 1, sourceStored: false },
    phase: isHolder ? 'live' : wanted,
    source: isHolder ? { kind: 'none' } : { kind: 'path', path: '/x' },
    details: { kind, ...(parentId !== undefined && { parentId }), ...more },
  };
}

t.testdir();

t.test('groups tell the same as the rights of each title, whatever changes', async (t) => {
  const one = fc.tuple(told, phase);
  const change = fc.tuple(fc.nat({ max: family.length - 1 }), told, phase);
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(one, { minLength: family.length, maxLength: family.length }),
      fc.array(change, { maxLength: 4 }),
      async (first, changes) => {
        const records = await openSqliteRecords(join(t.testdirName, `${String(runs++)}.db`));
        const titles = await Titles.open(records, { titlesMax: 100 });
        const clock = createManualClock({ nowMs: 5 });
        const rights = createRights(titles, clock);
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
          for (const region of ['DE', 'AT', undefined])
            for (const maturityMax of [6, 12, 18]) {
              const viewer = { maturityMax, ...(region !== undefined && { region }) };
              const allowed = new Set(groups.allowed(viewer));
              for (const [id] of family) {
                const isFound = index.get(id)?.some((key) => allowed.has(key)) === true;
                if (isFound !== rights.isShown(id, viewer))
                  throw new Error(`${id} ${JSON.stringify(viewer)}`);
              }
            }
        };
        for (const [at, [more, wanted]] of first.entries()) await titles.add(recordOf(at, more, wanted));
        check();
        for (const [at, more, wanted] of changes) {
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
