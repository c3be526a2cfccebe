import fc from 'fast-check';
import type t from 'tap';
import { openCollection } from '../../common/adapters/records/collection.ts';
import type { RecordOperation, Records } from '../../common/adapters/records/port.ts';
import { coded, isCoded } from '../../common/runtime/errors.ts';

type Test = Pick<typeof t, 'test'>;
type Teardown = Pick<typeof t, 'teardown'>;

/** The behaviour that every engine of the records port has. `openStore` gives an empty one. */
export function recordsConformance(
  t: Test,
  openStore: () => Promise<Records>,
  copies: { path: () => Promise<string>; open: (path: string) => Promise<Records> },
): void {
  const open = async (t: Teardown): Promise<Records> => {
    const store = await openStore();
    t.teardown(() => store.close());
    return store;
  };

  t.test('what is put is got, as JSON, with a version that grows', async (t) => {
    const records = await open(t);
    const value = { text: 'ä€😀', list: [1, null, { deep: true }], none: undefined };
    const first = await records.put('titles', 'a', value);
    const entry = await records.get('titles', 'a');
    t.strictSame(entry, {
      key: 'a',
      version: first,
      value: { text: 'ä€😀', list: [1, null, { deep: true }] },
    });
    const second = await records.put('titles', 'a', { text: 'other' });
    t.ok(second > first);
    t.equal(await records.get('titles', 'b'), undefined);
    t.equal(await records.get('others', 'a'), undefined, 'collections are apart');
    t.equal(await records.remove('titles', 'a'), true);
    t.equal(await records.remove('titles', 'a'), false);
    t.equal(await records.get('titles', 'a'), undefined);
    t.ok((await records.put('titles', 'a', {})) > second, 'a version is never used again');
  });

  t.test('a commit holds to its expected versions or changes nothing', async (t) => {
    const records = await open(t);
    const put = (key: string, expectedVersion?: number): RecordOperation => ({
      kind: 'put',
      collection: 'c',
      key,
      value: { key },
      expectedVersion,
    });
    const version = await records.commit([put('a', 0), put('b')]);
    t.equal((await records.get('c', 'b'))?.version, version, 'one version for all of a commit');
    const conflict = { code: 'RECORDS_CONFLICT', status: 409 };
    await t.rejects(records.commit([put('x'), put('a', 0)]), conflict, 'not absent');
    await t.rejects(records.commit([put('x'), put('a', version + 1)]), conflict, 'another version');
    await t.rejects(
      records.commit([put('x'), { kind: 'remove', collection: 'c', key: 'zz', expectedVersion: 1 }]),
      conflict,
    );
    await t.rejects(
      records.commit([put('x'), { kind: 'check', collection: 'c', key: 'b', expectedVersion: 0 }]),
      conflict,
    );
    t.equal(await records.get('c', 'x'), undefined, 'nothing of a refused commit is there');
    await records.commit([
      { kind: 'check', collection: 'c', key: 'b', expectedVersion: version },
      { kind: 'remove', collection: 'c', key: 'a', expectedVersion: version },
      put('x', 0),
    ]);
    t.strictSame(
      (await records.scan('c')).map((entry) => entry.key),
      ['b', 'x'],
    );
  });

  t.test('of commits at once that expect the same version one wins', async (t) => {
    const records = await open(t);
    const results = await Promise.allSettled(
      [1, 2, 3, 4].map((value) =>
        records.commit([{ kind: 'put', collection: 'c', key: 'k', value: { value }, expectedVersion: 0 }]),
      ),
    );
    t.equal(results.filter((result) => result.status === 'fulfilled').length, 1);
  });

  t.test('scans are in the order of UTF-8, by prefix, page by page', async (t) => {
    const records = await open(t);
    // U+FFFD comes before U+1F600 in UTF-8 and after it in UTF-16.
    const keys = [
      'a',
      'a ',
      'a/1',
      'a/10',
      'a/2',
      'ab',
      'B',
      'ä',
      '\ufffd',
      '😀',
      '😀x',
      '~',
      '%',
      'a_b',
      'axb',
    ];
    await records.commit(keys.map((key) => ({ kind: 'put', collection: 'c', key, value: {} })));
    const sorted = keys.toSorted((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right)));
    const scanned = async (options = {}): Promise<string[]> =>
      (await records.scan('c', options)).map((entry) => entry.key);
    t.strictSame(await scanned(), sorted);
    for (const prefix of ['', 'a', 'a/', 'a_', '%', '😀', 'zz']) {
      t.strictSame(
        await scanned({ prefix }),
        sorted.filter((key) => key.startsWith(prefix)),
        prefix,
      );
    }
    for (const after of [...sorted, 'a/11', '0']) {
      const isAfter = (key: string): boolean => Buffer.compare(Buffer.from(key), Buffer.from(after)) > 0;
      t.strictSame(await scanned({ after, limit: 2 }), sorted.filter(isAfter).slice(0, 2), after);
      t.strictSame(
        await scanned({ after, prefix: 'a' }),
        sorted.filter((key) => key.startsWith('a') && isAfter(key)),
      );
    }
  });

  t.test('names, keys and values out of bounds are refused', async (t) => {
    const records = await open(t);
    for (const key of ['', 'a\0b', 'a\nb', '\ud800', 'x'.repeat(513), 'ä'.repeat(257), '\u{10ffff}']) {
      await t.rejects(records.put('c', key, {}), { code: 'KEY_INVALID' }, JSON.stringify(key.slice(0, 9)));
      await t.rejects(records.get('c', key), { code: 'KEY_INVALID' });
    }
    for (const collection of ['', 'A', '1a', 'a b', 'a;--', 'x'.repeat(64)]) {
      await t.rejects(records.get(collection, 'k'), { code: 'KEY_INVALID' }, collection);
      await t.rejects(records.scan(collection), { code: 'KEY_INVALID' });
    }
    await records.put('c', 'k', { text: 'x'.repeat(1_000_000) });
    await t.rejects(records.put('c', 'k', { text: 'x'.repeat(1_100_000) }), { code: 'VALUE_TOO_LARGE' });
    const many = Array.from({ length: 10_001 }, (): RecordOperation => ({
      kind: 'remove',
      collection: 'c',
      key: 'k',
    }));
    await t.rejects(records.commit(many), { code: 'VALUE_TOO_LARGE' });
    t.ok(await records.get('c', 'k'));
  });

  t.test('a copy is of what is there when its end is allowed, and nothing has to wait for it', async (t) => {
    const records = await open(t);
    const filler = 'x'.repeat(10_000);
    for (let from = 0; from < 500; from += 100)
      await records.commit(
        Array.from({ length: 100 }, (_, index) => ({
          ...{ kind: 'put', collection: 'c', key: `k${String(from + index)}`, value: { filler } },
        })),
      );
    const path = await copies.path();
    const fractions: number[] = [];
    await records.copyTo(path, {
      onProgress: (fraction) => fractions.push(fraction),
      beforeEnd: async () => {
        await records.put('c', 'k0', { changed: true });
        await records.put('c', 'new', {});
        await records.remove('c', 'k1');
      },
    });
    await records.put('c', 'later', {});
    t.ok(fractions.length > 2 && fractions.every((one) => one >= 0 && one <= 1), 'it tells how far it is');
    const copy = await copies.open(path);
    t.teardown(() => copy.close());
    t.strictSame((await copy.get('c', 'k0'))?.value, { changed: true });
    t.ok(await copy.get('c', 'new'));
    t.equal(await copy.get('c', 'k1'), undefined);
    t.equal(await copy.get('c', 'later'), undefined, 'its end was before that');
    t.equal((await copy.scan('c')).length, 500);
    const version = (await copy.get('c', 'new'))?.version ?? 0;
    t.ok((await copy.put('c', 'k0', {})) > version, 'versions go on from there');
  });

  t.test('a copy whose end is refused fails with that, and leaves the records as they are', async (t) => {
    const records = await open(t);
    await records.put('c', 'k', {});
    const refused = { beforeEnd: () => Promise.reject(new Error('not now')) };
    await t.rejects(records.copyTo(await copies.path(), refused), { cause: { message: 'not now' } });
    t.ok(await records.put('c', 'k', { n: 1 }));
  });

  t.test('any sequence of commits does what it does to a map', async (t) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(operation, { maxLength: 5 }), { maxLength: 20 }),
        async (commits) => {
          const records = await open(t);
          const model = new Map<string, { version: number; value: unknown }>();
          for (const operations of commits) await commitBoth(records, model, operations);
          const entries = await records.scan('c');
          const expected = [...model].toSorted(([left], [right]) => (left < right ? -1 : 1));
          t.strictSame(
            entries,
            expected.map(([key, rest]) => ({ key, ...rest })),
          );
          await records.close();
        },
      ),
      { numRuns: 25 },
    );
  });

  t.test('a collection parses what it reads', async (t) => {
    const records = await open(t);
    const titles = openCollection(records, 'titles', (value) => {
      if (typeof value !== 'object' || value === null || !('name' in value)) throw new Error('no title');
      return { name: String(value.name) };
    });
    const version = await titles.put('a', { name: 'A' }, 0);
    await t.rejects(titles.put('a', { name: 'B' }, 0), { code: 'RECORDS_CONFLICT' });
    t.strictSame(await titles.get('a'), { key: 'a', version, value: { name: 'A' } });
    await records.commit(
      Array.from({ length: 1500 }, (_, n) => titles.putOperation(`n${String(n)}`, { name: 'n' })),
    );
    const all = [];
    for await (const { key } of titles.all('n')) all.push(key);
    t.equal(all.length, 1500);
    await records.commit([titles.removeOperation('a', version)]);
    t.equal(await titles.get('a'), undefined);
    await records.put('titles', 'bad', {});
    await t.rejects(titles.get('bad'), { message: 'no title' });
    const damaged = openCollection(records, 'titles', () => {
      throw coded('INVALID', 'the record of a title: name is missing');
    });
    await t.rejects(damaged.get('bad'), { code: 'STORE_CORRUPT', message: /name is missing/ });
    await t.rejects(damaged.scan({ prefix: 'bad' }), { code: 'STORE_CORRUPT' });
  });
}

type ModelOperation =
  | { kind: 'put'; key: string; value: object; expect: 'any' | 'right' | 'wrong' }
  | { kind: 'remove'; key: string; expect: 'any' | 'right' | 'wrong' }
  | { kind: 'check'; key: string; expect: 'right' | 'wrong' };

const key = fc.constantFrom('a', 'b', 'b/1', 'c');
const expect = fc.constantFrom<('any' | 'right' | 'wrong')[]>('any', 'right', 'right', 'right', 'wrong');
const operation: fc.Arbitrary<ModelOperation> = fc.oneof(
  fc.record({
    kind: fc.constant('put' as const),
    key,
    value: fc.dictionary(fc.string(), fc.jsonValue()),
    expect,
  }),
  fc.record({ kind: fc.constant('remove' as const), key, expect }),
  fc.record({
    kind: fc.constant('check' as const),
    key,
    expect: fc.constantFrom('right' as const, 'wrong' as const),
  }),
);

/** Does a commit to the store and to the model and holds them to one another. */
async function commitBoth(
  records: Records,
  model: Map<string, { version: number; value: unknown }>,
  operations: readonly ModelOperation[],
): Promise<void> {
  // What a key's version is while the commit runs is only known before it: each key once.
  const once = operations.filter(
    (one, index) => operations.findIndex((other) => other.key === one.key) === index,
  );
  const expected = (one: ModelOperation): number | undefined => {
    if (one.expect === 'any') return undefined;
    return (model.get(one.key)?.version ?? 0) + (one.expect === 'wrong' ? 1 : 0);
  };
  const commit = once.map((one): RecordOperation => {
    const { expect: _, ...rest } = one;
    return { ...rest, collection: 'c', expectedVersion: expected(one) } as RecordOperation;
  });
  const isRight = once.every((one) => one.expect !== 'wrong');
  try {
    const version = await records.commit(commit);
    if (!isRight) throw new Error('a commit with a wrong version went through');
    for (const one of once) {
      if (one.kind === 'remove') model.delete(one.key);
      // Through JSON, which does not know -0 or __proto__ as a key of its own.
      if (one.kind === 'put')
        model.set(one.key, { version, value: JSON.parse(JSON.stringify(one.value)) as unknown });
    }
  } catch (error) {
    if (isRight || !isCoded(error, 'RECORDS_CONFLICT')) throw error;
  }
}
