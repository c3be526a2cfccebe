import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { openSqliteRecords } from '../../../../common/adapters/records/sqlite.ts';
import type { TitleRecord } from '../../../../control-plane/services/catalog/records.ts';
import { Titles } from '../../../../control-plane/services/catalog/titles.ts';

function titleOf(id: string, createdAtMs: number): TitleRecord {
  return {
    ...{ version: 1, id, name: id, pinned: false, createdAtMs, sourceSizeBytes: 1, sourceStored: false },
    ...{ phase: 'live', source: { kind: 'none' } },
  };
}

t.test('pages of titles are the whole list, oldest first, whatever the clock did', async (t) => {
  const records = await openSqliteRecords(join(t.testdir(), 'titles.db'));
  const titles = await Titles.open(records, { titlesMax: 10_000 });
  const added: TitleRecord[] = [];
  let next = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(50), { maxLength: 6 }), fc.nat(9), async (times, limit) => {
      for (const time of times) {
        const title = titleOf(`title_${String((next += 7) % 1000).padStart(8, '0')}${next}`, time);
        await titles.add(title);
        added.push(title);
        // Some ask in between, so that the order is kept as well as made.
        if (time % 2 === 0) titles.all();
      }
      added.sort((a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1));
      const pages = [titles.some(0, limit), titles.some(limit, Infinity)].flat();
      t.strictSame(
        pages.map(({ id }) => id),
        added.map(({ id }) => id),
      );
      const [first] = added;
      if (first === undefined) return;
      t.equal(
        (await titles.change(first.id, (title) => ({ ...title, pinned: true }))).id,
        titles.all()[0]?.id,
      );
    }),
    { numRuns: 30 },
  );
  await records.close();
});
