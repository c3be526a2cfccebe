import fc from 'fast-check';
import t from 'tap';

import { bestItems } from '../../../../../control-plane/services/recommendations/core/best-items.ts';
import { blends, choose, judge } from '../../../../../control-plane/services/recommendations/core/choose.ts';
import {
  itemFactors,
  userFactorsOf,
} from '../../../../../control-plane/services/recommendations/core/factors.ts';
import {
  interactionsOf,
  rowOf,
  sampledUsers,
} from '../../../../../control-plane/services/recommendations/core/interactions.ts';
import { Judge } from '../../../../../control-plane/services/recommendations/core/metrics.ts';
import {
  modelDefaults,
  trainBase,
  trainEase,
} from '../../../../../control-plane/services/recommendations/core/model.ts';
import { splitEntries } from '../../../../../control-plane/services/recommendations/core/split.ts';
import { tasteWeights } from '../../../../../control-plane/services/recommendations/core/taste.ts';
import { finish } from '../../../../../control-plane/services/recommendations/core/work.ts';
import { seededRandom } from '../../../../support/seeded.ts';

t.test('the best items are those of a sort, and nothing of −Infinity', (t) => {
  const scores = fc.array(fc.constantFrom(-Infinity, -1, 0, 0.5, 1, 2), { maxLength: 40 });
  fc.assert(
    fc.property(scores, fc.integer({ min: 1, max: 12 }), (values, count) => {
      const wanted = values
        .map((score, item) => ({ score, item }))
        .filter(({ score }) => score !== -Infinity)
        .sort((one, other) => other.score - one.score || one.item - other.item)
        .slice(0, count)
        .map(({ item }) => item);
      const found = [...bestItems(Float64Array.from(values), count)];
      if (found.join() !== wanted.join()) t.fail(`${found.join()} instead of ${wanted.join()}`);
    }),
  );
  t.end();
});

t.test('measures of lists are those that RecBole documents', (t) => {
  const sum = new Judge();
  const wanted = new Set([5, 7, 100]);
  sum.add([9, 5, 8, 7, 1, 2, 3, 4, 6, 10], (item) => wanted.has(item), wanted.size);
  sum.add([1, 2, 3], () => false, 1);
  const ideal = 1 + 1 / Math.log2(3) + 1 / Math.log2(4);
  const { ndcg10, recall10, mrr10, precision10, users } = sum.scores();
  t.ok(Math.abs(ndcg10 - (1 / Math.log2(3) + 1 / Math.log2(5)) / ideal / 2) < 1e-12, `nDCG ${ndcg10}`);
  t.equal(recall10, 2 / 3 / 2);
  t.equal(mrr10, 1 / 2 / 2);
  t.equal(precision10, 0.2 / 2);
  t.equal(users, 2);
  t.equal(new Judge().scores().ndcg10, 0, 'nobody judged');
  t.end();
});

t.test('each protocol counts its parts as its library does', (t) => {
  const sizes = [1, 2, 3, 5, 9, 10, 11, 20, 25, 99];
  const userOf = Uint32Array.from(sizes.flatMap((size, user) => new Array<number>(size).fill(user)));
  const counts = (protocol: 'recbole' | 'stratified') => {
    const split = splitEntries(userOf, protocol, seededRandom(1));
    const all = [...split.train, ...split.validation, ...split.test].sort((one, other) => one - other);
    t.strictSame(all, [...userOf.keys()], 'each entry is in one part');
    return sizes.map((_, user) =>
      [split.train, split.validation, split.test].map(
        (part) => part.filter((entry) => userOf[entry] === user).length,
      ),
    );
  };
  t.strictSame(counts('recbole'), [
    [1, 0, 0],
    [1, 0, 1],
    [1, 1, 1],
    [3, 1, 1],
    [7, 1, 1],
    [8, 1, 1],
    [9, 1, 1],
    [16, 2, 2],
    [21, 2, 2],
    [81, 9, 9],
  ]);
  t.strictSame(
    counts('stratified').map(([train = 0, validation = 0, test]) => [train + validation, test]),
    [
      [0, 1],
      [1, 1],
      [2, 1],
      [3, 2],
      [6, 3],
      [7, 3],
      [8, 3],
      [15, 5],
      [18, 7],
      [74, 25],
    ],
  );
  const one = splitEntries(userOf, 'recbole', seededRandom(1));
  t.strictSame(splitEntries(userOf, 'recbole', seededRandom(1)), one, 'a seed splits in one way');
  t.not(splitEntries(userOf, 'recbole', seededRandom(2)).test.join(), one.test.join(), 'another in another');
  t.end();
});

/** Viewers of two tastes, who now and then watch something of the other. */
function twoTastes(users: number, items: number) {
  const random = seededRandom(4);
  const pairs = new Set<string>();
  for (let user = 0; user < users; user++)
    for (let watched = 0; watched < 24; watched++) {
      const taste = random() < 0.9 ? user % 2 : 1 - (user % 2);
      pairs.add(`${user} ${2 * Math.floor(random() ** 2 * (items / 2)) + taste}`);
    }
  const entries = [...pairs].map((pair) => pair.split(' ').map(Number));
  return {
    userOf: Uint32Array.from(entries, ([user]) => user!),
    itemOf: Uint32Array.from(entries, ([, item]) => item!),
  };
}

function split(users: number, items: number) {
  const { userOf, itemOf } = twoTastes(users, items);
  const parts = splitEntries(userOf, 'recbole', seededRandom(9));
  const of = (entries: Uint32Array) =>
    interactionsOf(
      {
        userOf: entries.map((entry) => userOf[entry]!),
        itemOf: entries.map((entry) => itemOf[entry]!),
        weightOf: new Float32Array(entries.length).fill(1),
      },
      { users, items },
    );
  return { train: of(parts.train), validation: of(parts.validation), test: of(parts.test) };
}

t.test('factors solve their equations, and a user is found again by what was met', (t) => {
  const { train } = split(60, 40);
  const options = { rank: 8, unmetWeight: 0.1, regularisation: 0.02, rounds: 6 };
  const model = finish(itemFactors(train, options, 3));
  t.strictSame(finish(itemFactors(train, options, 3)), model, 'a seed gives one model');
  const solve = userFactorsOf(model);
  const factor = (item: number, part: number): number => model.values[item * options.rank + part]!;
  for (const user of [0, 1, 59]) {
    const [from, to] = [train.offsets[user]!, train.offsets[user + 1]!];
    const met = train.itemOf.subarray(from, to);
    const x = [...solve(met)];
    const score = (item: number): number =>
      x.reduce((sum, value, part) => sum + value * factor(item, part), 0);
    const held = options.regularisation * (met.length + options.unmetWeight * train.items);
    for (const part of x.keys()) {
      // The gradient of Σ_met (1 − x·q)² + α·Σ_all (x·q)² + held·|x|² is 0 where the sum is least.
      let gradient = held * x[part]!;
      for (const item of met) gradient -= (1 - score(item)) * factor(item, part);
      for (let item = 0; item < train.items; item++)
        gradient += options.unmetWeight * score(item) * factor(item, part);
      t.ok(Math.abs(gradient) < 1e-9, `user ${user}, part ${part}: ${gradient}`);
    }
  }
  t.end();
});

t.test('a model learns tastes, and what is chosen is the best of what was tried', (t) => {
  const { train, validation, test } = split(300, 80);
  const options = { ...modelDefaults, factors: { ...modelDefaults.factors, rank: 8 } };
  const steps: number[] = [];
  const work = choose(train, validation, options);
  let result = work.next();
  for (; result.done !== true; result = work.next()) steps.push(result.value);
  const { choice: chosen } = result.value;
  t.ok(
    steps.every((step, at) => step >= (steps[at - 1] ?? 0) && step <= 1),
    'says how far it is',
  );

  const base = finish(trainBase(train, options));
  const ease = finish(trainEase(train, { ...options, lambda: chosen.lambda }));
  const again = finish(judge({ ...base, ease }, { known: train, hidden: validation }, blends));
  t.equal(Math.max(...again.map(({ ndcg10 }) => ndcg10)), chosen.ndcg10);

  const popularity = { ease: 0, itemKnn: 0, factors: 0, popularity: 1 };
  const trial = { known: train, hidden: test, leftOut: validation };
  const [ours, crowd] = finish(judge({ ...base, ease }, trial, [chosen.blend, popularity]));
  t.ok(ours!.ndcg10 > 1.1 * crowd!.ndcg10, `${ours!.ndcg10} against ${crowd!.ndcg10} of the most popular`);
  t.end();
});

t.test('of very many entries factors are learnt from some users, and serve all', (t) => {
  const { train, validation } = split(300, 80);
  t.equal(sampledUsers(train, train.itemOf.length), train, 'all where there are few');
  const some = sampledUsers(train, train.itemOf.length / 2.5);
  t.equal(some.users, 100, 'every third');
  t.ok(some.itemOf.length < train.itemOf.length / 2);
  for (let user = 0; user < some.users; user++)
    t.strictSame(rowOf(some, user), rowOf(train, 3 * user), `user ${3 * user}`);

  const factors = { ...modelDefaults.factors, rank: 8 };
  const onlyFactors = [{ ease: 0, itemKnn: 0, factors: 1, popularity: 0 }];
  const [all, sampled] = [Infinity, train.itemOf.length / 2.5].map((factorEntriesMax) => {
    const base = finish(trainBase(train, { ...modelDefaults, factors, factorEntriesMax }));
    const model = { ...base, ease: base.itemKnn };
    return finish(judge(model, { known: train, hidden: validation }, onlyFactors))[0]!.ndcg10;
  });
  t.ok(sampled! > 0.75 * all!, `${sampled} against ${all} of all users`);
  t.end();
});

t.test('what somebody has met is never recommended again', (t) => {
  const { train, validation } = split(40, 12);
  const base = finish(trainBase(train, { ...modelDefaults, factors: { ...modelDefaults.factors, rank: 4 } }));
  const ease = finish(trainEase(train, modelDefaults));
  const [scores] = finish(judge({ ...base, ease }, { known: train, hidden: train }, blends.slice(0, 1)));
  t.equal(scores!.recall10, 0, 'what is known is left out');
  const [left] = finish(
    judge({ ...base, ease }, { known: train, hidden: validation, leftOut: validation }, blends.slice(0, 1)),
  );
  t.equal(left!.recall10, 0, 'and what is left out too');
  t.end();
});

t.test('good ratings tell more than bad ones, busy users less with each', (t) => {
  const userOf = [0, 0, 0, ...new Array<number>(200).fill(1)];
  const ratingOf = userOf.map((_, at) => [5, 1, NaN][at] ?? 3);
  const [good, bad, unrated, busy] = tasteWeights(userOf, ratingOf, 2);
  t.ok(good! > unrated! && unrated! > bad! && bad! > 0, `${good} ${unrated} ${bad}`);
  t.ok(busy! < unrated!, `${busy}`);
  t.equal(new Set(tasteWeights([0, 0], [4, 4], 1)).size, 1, 'equal ratings tell the same');
  t.end();
});
