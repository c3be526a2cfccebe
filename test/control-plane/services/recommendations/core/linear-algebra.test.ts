import fc from 'fast-check';
import t, { type Test } from 'tap';

import { easeWeights } from '../../../../../control-plane/services/recommendations/core/ease.ts';
import { gramOf } from '../../../../../control-plane/services/recommendations/core/gram.ts';
import {
  interactionsOf,
  transposed,
  type Interactions,
} from '../../../../../control-plane/services/recommendations/core/interactions.ts';
import { itemKnnWeights } from '../../../../../control-plane/services/recommendations/core/item-knn.ts';
import type { ItemWeights } from '../../../../../control-plane/services/recommendations/core/item-weights.ts';
import {
  createTiledMatrix,
  invert,
  placeOf,
} from '../../../../../control-plane/services/recommendations/core/tiled-matrix.ts';
import { finish } from '../../../../../control-plane/services/recommendations/core/work.ts';

type Dense = number[][];

/** Sparse matrices with no more than a few entries, and some that are wider than a tile. */
const matrices = fc
  .record({ users: fc.integer({ min: 1, max: 30 }), items: fc.integer({ min: 2, max: 150 }) })
  .chain(({ users, items }) =>
    fc
      .uniqueArray(
        fc.record({
          user: fc.nat(users - 1),
          item: fc.nat(items - 1),
          weight: fc.integer({ min: 1, max: 16 }).map((eighths) => eighths / 8),
        }),
        { selector: ({ user, item }) => user * items + item, maxLength: 300 },
      )
      .map((entries) => ({ users, items, entries })),
  );
type Made = typeof matrices extends fc.Arbitrary<infer T> ? T : never;

const sparse = ({ users, items, entries }: Made): Interactions =>
  interactionsOf(
    {
      userOf: entries.map(({ user }) => user),
      itemOf: entries.map(({ item }) => item),
      weightOf: entries.map(({ weight }) => weight),
    },
    { users, items },
  );

function dense({ users, items, entries }: Made): Dense {
  const rows = Array.from({ length: users }, () => new Array<number>(items).fill(0));
  for (const { user, item, weight } of entries) rows[user]![item] = weight;
  return rows;
}

function unpacked({ users, items, offsets, itemOf, weights }: Interactions): Dense {
  const rows = Array.from({ length: users }, () => new Array<number>(items).fill(0));
  for (let user = 0; user < users; user++)
    for (let at = offsets[user]!; at < offsets[user + 1]!; at++) rows[user]![itemOf[at]!] = weights[at]!;
  return rows;
}

function unpackedWeights({ items, offsets, itemOf, weights }: ItemWeights): Dense {
  return unpacked({ users: items, items, offsets, itemOf, weights });
}

const naiveGram = (rows: Dense, items: number): Dense =>
  Array.from({ length: items }, (_, i) =>
    Array.from({ length: items }, (_, j) => rows.reduce((sum, row) => sum + row[i]! * row[j]!, 0)),
  );

/** Gauss and Jordan, with pivots. */
function naiveInverse(matrix: Dense): Dense {
  const side = matrix.length;
  const work = matrix.map((row, i) => [...row, ...row.map((_, j) => (i === j ? 1 : 0))]);
  for (let j = 0; j < side; j++) {
    let pivot = j;
    for (let i = j; i < side; i++) if (Math.abs(work[i]![j]!) > Math.abs(work[pivot]![j]!)) pivot = i;
    [work[j], work[pivot]] = [work[pivot]!, work[j]!];
    const scale = work[j]![j]!;
    work[j] = work[j]!.map((value) => value / scale);
    for (let i = 0; i < side; i++) {
      const factor = work[i]![j]!;
      if (i !== j && factor !== 0) work[i] = work[i]!.map((value, at) => value - factor * work[j]![at]!);
    }
  }
  return work.map((row) => row.slice(side));
}

function near(
  t: Test,
  [found, wanted]: readonly [Dense, Dense],
  { within, name }: { within: number; name: string },
): void {
  let worst = 0;
  for (const [i, row] of wanted.entries())
    for (const [j, value] of row.entries()) worst = Math.max(worst, Math.abs(value - (found[i]?.[j] ?? NaN)));
  if (!(worst <= within)) t.fail(`${name} is off by ${worst}`);
}

t.test('rows and columns hold the entries that were put in, in whatever order', (t) => {
  fc.assert(
    fc.property(matrices, (made) => {
      const rows = dense(made);
      const matrix = sparse(made);
      near(t, [unpacked(matrix), rows], { within: 0, name: 'the matrix' });
      const columns = rows[0]!.map((_, item) => rows.map((row) => row[item]!));
      near(t, [unpacked(transposed(matrix)), columns], { within: 0, name: 'its transposed' });
      for (let user = 0; user < matrix.users; user++) {
        const row = matrix.itemOf.subarray(matrix.offsets[user], matrix.offsets[user + 1]);
        if ([...row].some((item, at) => at > 0 && item <= row[at - 1]!)) t.fail('a row is not ascending');
      }
    }),
  );
  t.end();
});

t.test('what goes together, its inverse and EASE are those of the schoolbook', (t) => {
  fc.assert(
    fc.property(matrices, fc.constantFrom(0.5, 3, 40), (made, lambda) => {
      const { items } = made;
      const gram = finish(gramOf(sparse(made)));
      const wanted = naiveGram(dense(made), items);
      const lower = wanted.map((row, i) =>
        row.map((_, j) => gram.values[placeOf(Math.max(i, j), Math.min(i, j))]!),
      );
      near(t, [lower, wanted], { within: 1e-9, name: 'the gram matrix' });

      const inverse = naiveInverse(
        wanted.map((row, i) => row.map((value, j) => value + (i === j ? lambda : 0))),
      );
      const ease = unpackedWeights(finish(easeWeights(gram, { lambda, perItem: Infinity })));
      const closed = inverse.map((row, i) => row.map((value, j) => (i === j ? 0 : -value / inverse[j]![j]!)));
      near(t, [ease, closed], { within: 1e-5, name: 'EASE' });
    }),
    { numRuns: 40 },
  );
  t.end();
});

t.test('the inverse of a matrix of many tiles, times the matrix, is the identity', (t) => {
  const side = 200;
  const value = (i: number, j: number): number => (i === j ? side : Math.sin(1 + i * j + i + j));
  const matrix = createTiledMatrix(side);
  for (let i = 0; i < side; i++) for (let j = 0; j <= i; j++) matrix.values[placeOf(i, j)] = value(i, j);
  const steps = [...invert(matrix)];
  t.ok(
    steps.length > 3 && steps.every((step, at) => step <= 1 && step >= (steps[at - 1] ?? 0)),
    'says how far it is',
  );
  const product = Array.from({ length: side }, (_, i) =>
    Array.from({ length: side }, (_, j) => {
      let sum = 0;
      for (let k = 0; k < side; k++)
        sum += value(i, k) * matrix.values[placeOf(Math.max(k, j), Math.min(k, j))]!;
      return sum;
    }),
  );
  near(t, [product, product.map((row, i) => row.map((_, j) => (i === j ? 1 : 0)))], {
    within: 1e-9,
    name: 'the product',
  });
  t.end();
});

t.test('a matrix that is not positive definite has no inverse', (t) => {
  const matrix = createTiledMatrix(2);
  matrix.values[placeOf(0, 0)] = 1;
  matrix.values[placeOf(1, 0)] = 2;
  matrix.values[placeOf(1, 1)] = 1;
  t.equal(finish(invert(matrix)), false);
  t.throws(() => finish(easeWeights(createTiledMatrix(3), { lambda: 0, perItem: 1 })), RangeError);
  t.end();
});

t.test('neighbours are cosines, held down, and the strongest are kept', (t) => {
  fc.assert(
    fc.property(matrices, fc.constantFrom(0, 5), fc.integer({ min: 1, max: 8 }), (made, shrink, perItem) => {
      const gram = naiveGram(dense(made), made.items);
      const cosine = (i: number, j: number): number =>
        (gram[i]?.[j] ?? 0) === 0 ? 0 : gram[i]![j]! / (Math.sqrt(gram[i]![i]! * gram[j]![j]!) + shrink);
      const kept = unpackedWeights(itemKnnWeights(finish(gramOf(sparse(made))), { shrink, perItem }));
      for (const [i, row] of kept.entries()) {
        const all = row.map((_, j) => (i === j ? 0 : cosine(i, j)));
        const strengths = [...all].sort((one, other) => other - one);
        const taken = row.filter((weight) => weight !== 0);
        if (taken.length > perItem) t.fail(`${taken.length} kept of ${perItem}`);
        near(t, [[[...taken].sort((one, other) => other - one)], [strengths.slice(0, taken.length)]], {
          within: 1e-5,
          name: 'what is kept',
        });
        if (taken.length < Math.min(perItem, all.filter((value) => value > 0).length))
          t.fail('too few are kept');
        for (const [j, weight] of row.entries())
          if (weight !== 0 && Math.abs(weight - all[j]!) > 1e-5) t.fail('a weight is not the cosine');
      }
    }),
    { numRuns: 60 },
  );
  t.end();
});
