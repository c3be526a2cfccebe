import fc from 'fast-check';
import type t from 'tap';

import type { Viewing } from '../../common/adapters/viewing/port.ts';
import {
  joinRows,
  type RegisterKind,
  type ViewingEntry,
  type ViewingRegister,
  type ViewingRows,
} from '../../common/core/viewing-state.ts';
import { viewingRows, profileIds, titleIds } from '../support/viewing-arbitrary.ts';

type Test = Pick<typeof t, 'test'>;
type Teardown = Pick<typeof t, 'teardown'>;

const kinds: readonly RegisterKind[] = ['forgotten', 'hidden', 'list', 'progress', 'rating'];

const register = (more: Partial<ViewingRegister> = {}): ViewingRegister => ({
  profileId: 'prf_a',
  kind: 'progress',
  titleId: 'title_a',
  stamp: { atMs: 1000, deviceId: 'tv', sequence: 1 },
  value: 5000,
  ...more,
});

const entry = (more: Partial<ViewingEntry> = {}): ViewingEntry => ({
  profileId: 'prf_a',
  startedAtMs: 1000,
  viewingId: 'v1',
  titleId: 'title_a',
  stamp: { atMs: 1000, deviceId: 'tv', sequence: 1 },
  positionMs: 5000,
  watchedMs: 4000,
  ...more,
});

/** All that a store knows of some profiles, as the joined rows that it should be. */
async function everything(viewing: Viewing, profiles: readonly string[]): Promise<ViewingRows> {
  const found: ViewingRows[] = [];
  for (const profileId of profiles) {
    for (const kind of kinds)
      found.push({ registers: await viewing.registers(profileId, kind, { limit: 1000 }), entries: [] });
    found.push({ registers: [], entries: await viewing.viewings(profileId, { limit: 1000 }) });
  }
  return joinRows(...found);
}

/** Where copies go, and how they are opened. */
interface Copies {
  path: () => Promise<string>;
  open: (path: string) => Promise<Viewing>;
}

/** The behaviour that every engine of the viewing port has. `openStore` gives an empty one. */
export function viewingConformance(t: Test, openStore: () => Promise<Viewing>, copies: Copies): void {
  const open = async (t: Teardown): Promise<Viewing> => {
    const viewing = await openStore();
    t.teardown(() => viewing.close());
    return viewing;
  };

  t.test('the latest of each register and of each viewing stands', async (t) => {
    const viewing = await open(t);
    const late = { atMs: 2000, deviceId: 'phone', sequence: 1 };
    await viewing.join({ registers: [register(), register({ kind: 'list', value: 1 })], entries: [entry()] });
    await viewing.join({
      registers: [register({ stamp: late, value: 9000 })],
      entries: [entry({ viewingId: 'v2', startedAtMs: 1500, stamp: late })],
    });
    await viewing.join({ registers: [register({ value: 7000 })], entries: [entry({ watchedMs: 1 })] });
    t.strictSame(await viewing.registersOf('prf_a', 'progress', ['title_a', 'title_b']), [
      register({ stamp: late, value: 9000 }),
    ]);
    t.strictSame(await viewing.registersOf('prf_b', 'progress', ['title_a']), [], 'profiles are apart');
    t.strictSame(await viewing.registers('prf_a', 'list', { limit: 10 }), [
      register({ kind: 'list', value: 1 }),
    ]);
    t.strictSame(await viewing.viewings('prf_a', { limit: 10 }), [
      entry({ viewingId: 'v2', startedAtMs: 1500, stamp: late }),
      entry(),
    ]);
  });

  t.test('any order, any repetition and any parts of reports end in the same state', async (t) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(viewingRows, { maxLength: 12 }),
        fc.array(fc.nat(), { maxLength: 24 }),
        async (parts, order) => {
          const viewing = await openStore();
          try {
            const shuffled = [...order.map((at) => parts[at % parts.length]), ...parts.toReversed()];
            for (const part of shuffled) if (part !== undefined) await viewing.join(part);
            t.strictSame(await everything(viewing, profileIds), joinRows(...parts));
          } finally {
            await viewing.close();
          }
        },
      ),
      { numRuns: 20 },
    );
  });

  t.test('two stores that were parted are the same once each has joined the rows of the other', async (t) => {
    const one = await open(t);
    const other = await open(t);
    const [left, right] = fc.sample(
      fc.tuple(fc.array(viewingRows, { minLength: 5 }), fc.array(viewingRows, { minLength: 5 })),
      { seed: 7, numRuns: 1 },
    )[0] ?? [[], []];
    for (const part of left) await one.join(part);
    for (const part of right) await other.join(part);
    const [ofOne, ofOther] = [await everything(one, profileIds), await everything(other, profileIds)];
    await one.join(ofOther);
    await other.join(ofOne);
    t.strictSame(await everything(one, profileIds), await everything(other, profileIds));
    t.strictSame(await everything(one, profileIds), joinRows(...left, ...right));
  });

  t.test('pages go on where the last one ended', async (t) => {
    const viewing = await open(t);
    const entries = Array.from({ length: 25 }, (_, at) =>
      entry({ startedAtMs: Math.floor(at / 2), viewingId: `v${at % 3}-${at}` }),
    );
    const registers = titleIds.map((titleId) => register({ titleId }));
    await viewing.join({ registers, entries });
    const seen: ViewingEntry[] = [];
    for (;;) {
      const page = await viewing.viewings('prf_a', { before: seen.at(-1), limit: 4 });
      if (page.length === 0) break;
      seen.push(...page);
    }
    const sorted = entries.toSorted(
      (a, b) => b.startedAtMs - a.startedAtMs || (a.viewingId < b.viewingId ? 1 : -1),
    );
    t.strictSame(seen, sorted);
    const first = await viewing.registers('prf_a', 'progress', { limit: 2 });
    const rest = await viewing.registers('prf_a', 'progress', { after: first.at(-1)?.titleId, limit: 1000 });
    t.strictSame(
      [...first, ...rest].map(({ titleId }) => titleId),
      titleIds.toSorted(),
    );
  });

  t.test('a profile is erased alone, and old viewings are removed', async (t) => {
    const viewing = await open(t);
    const others = { profileId: 'prf_b' };
    await viewing.join({
      registers: [register(), register(others)],
      entries: [entry(), entry(others), entry({ ...others, startedAtMs: 10, viewingId: 'old' })],
    });
    await viewing.erase('prf_a');
    await viewing.erase('prf_a');
    await viewing.purge();
    t.equal(await viewing.prune(1000), 1);
    t.equal(await viewing.prune(1000), 0);
    t.strictSame(await everything(viewing, ['prf_a', 'prf_b']), {
      registers: [register(others)],
      entries: [entry(others)],
    });
  });

  t.test('what is joined at once is all there; what is erased at the same time is not', async (t) => {
    const viewing = await open(t);
    const joins = titleIds.map((titleId) =>
      viewing.join({
        registers: [register({ titleId }), register({ titleId, profileId: 'prf_b' })],
        entries: [],
      }),
    );
    await Promise.all([...joins, viewing.erase('prf_b')]);
    t.equal((await viewing.registers('prf_a', 'progress', { limit: 1000 })).length, titleIds.length);
    t.strictSame(await viewing.registers('prf_b', 'progress', { limit: 1000 }), []);
  });

  t.test('a copy has what was joined before its end', async (t) => {
    const viewing = await open(t);
    await viewing.join({ registers: [register()], entries: [entry()] });
    const path = await copies.path();
    await viewing.copyTo(path, {
      beforeEnd: () => viewing.join({ registers: [register({ kind: 'list', value: 1 })], entries: [] }),
    });
    await viewing.join({ registers: [register({ kind: 'rating', value: 1 })], entries: [] });
    const copy = await copies.open(path);
    t.teardown(() => copy.close());
    t.strictSame(await everything(copy, ['prf_a']), {
      registers: [register({ kind: 'list', value: 1 }), register()],
      entries: [entry()],
    });
  });

  t.test('what no engine could keep is refused, and nothing of it is written', async (t) => {
    const viewing = await open(t);
    const invalid = { code: 'INVALID' };
    for (const bad of [
      { value: 0.5 },
      { value: NaN },
      { value: 2 ** 53 },
      { titleId: '' },
      { titleId: 'ä' },
      { profileId: 'a b' },
      { stamp: { atMs: 1, deviceId: 'x'.repeat(65), sequence: 1 } },
      { stamp: { atMs: Infinity, deviceId: 'x', sequence: 1 } },
    ])
      await t.rejects(viewing.join({ registers: [register(), register(bad)], entries: [] }), invalid);
    await t.rejects(viewing.join({ registers: [], entries: [entry({ watchedMs: -0.1 })] }), invalid);
    const many = Array.from({ length: 10_001 }, () => register());
    await t.rejects(viewing.join({ registers: many, entries: [] }), invalid);
    await t.rejects(viewing.viewings('prf_a', { limit: 0 }), invalid);
    await t.rejects(viewing.registers('prf_a', 'list', { limit: 1001 }), invalid);
    await t.rejects(viewing.registersOf('prf_a', 'list', Array<string>(1001).fill('x')), invalid);
    t.strictSame(await everything(viewing, ['prf_a']), { registers: [], entries: [] });
  });
}
