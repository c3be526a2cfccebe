import fc from 'fast-check';
import t from 'tap';

import {
  rowsWhere,
  splitByTime,
  type TimedEntries,
} from '../../../../../control-plane/services/recommendations/core/by-time.ts';
import { rowOf } from '../../../../../control-plane/services/recommendations/core/interactions.ts';
import { weightBetween } from '../../../../../control-plane/services/recommendations/core/item-weights.ts';
import {
  decodeModel,
  encodeModel,
} from '../../../../../control-plane/services/recommendations/core/model-codec.ts';
import {
  inSpaceOf,
  isBetter,
  trainCandidate,
} from '../../../../../control-plane/services/recommendations/core/train.ts';
import { finish } from '../../../../../control-plane/services/recommendations/core/work.ts';
import { seededRandom } from '../../../../support/seeded.ts';

/** People of three tastes, who meet titles of their own taste first. */
function people({ users, items, each }: { users: number; items: number; each: number }): TimedEntries {
  const random = seededRandom(3);
  const rows = Array.from({ length: users }, (_, user) => {
    const met = new Set<number>();
    while (met.size < each) {
      const taste = random() < 0.9 ? user % 3 : Math.floor(random() * 3);
      met.add(Math.min(items - 1, 3 * Math.floor(random() ** 2 * (items / 3)) + taste));
    }
    return [...met].map((item, at) => ({
      user,
      item,
      time: 1000 + at * 86_400 + Math.floor(random() * 5000),
    }));
  }).flat();
  return {
    userOf: rows.map(({ user }) => user),
    itemOf: rows.map(({ item }) => item),
    weightOf: rows.map(() => 1),
    timeOf: Uint32Array.from(rows, ({ time }) => time),
    ...{ users, items },
  };
}

t.test('what comes after a moment is hidden, for those of whom something is known before it', async (t) => {
  const entry = fc.record({ user: fc.nat(5), item: fc.nat(9), time: fc.nat(50) });
  const entries = fc.uniqueArray(entry, { selector: ({ user, item }) => `${user} ${item}`, maxLength: 60 });
  fc.assert(
    fc.property(entries, (rows) => {
      const { cutS, known, hidden } = splitByTime({
        userOf: rows.map(({ user }) => user),
        itemOf: rows.map(({ item }) => item),
        weightOf: rows.map(() => 1),
        timeOf: Uint32Array.from(rows, ({ time }) => time),
        ...{ users: 6, items: 10 },
      });
      for (const { user, item, time } of rows) {
        const isKnown = rowOf(known, user).itemOf.includes(item);
        const isHidden = rowOf(hidden, user).itemOf.includes(item);
        const knowsUser = rows.some((one) => one.user === user && one.time < cutS);
        if (isKnown !== time < cutS || isHidden !== (time >= cutS && knowsUser)) t.fail(`${user} ${item}`);
      }
    }),
  );
});

t.test('some rows of a matrix are those rows', async (t) => {
  const { known } = splitByTime(people({ users: 9, items: 12, each: 4 }));
  const even = rowsWhere(known, (user) => user % 2 === 0);
  for (let user = 0; user < 9; user++)
    t.strictSame([...rowOf(even, user).itemOf], user % 2 === 0 ? [...rowOf(known, user).itemOf] : []);
});

t.test('a candidate is judged beside popularity and the incumbent, and kept as bytes', async (t) => {
  const entries = people({ users: 240, items: 60, each: 12 });
  const titles = Array.from({ length: 60 }, (_, item) => `title_${item}`);
  const first = finish(trainCandidate(entries, { titles, incumbent: undefined }));
  t.ok(first.candidate.users > 50, `${first.candidate.users} have judged`);
  t.ok(isBetter(first), `${first.candidate.ndcg10} against ${first.popularity.ndcg10} of the most popular`);
  t.equal(first.incumbent, undefined);
  const named = { version: 'model_12345678', titles, model: first.model, blend: first.choice.blend };

  const bytes = encodeModel(named);
  const read = decodeModel(bytes);
  t.strictSame(read.ok && read.value, named, 'the same model, number by number');
  t.match(decodeModel(bytes.slice(0, bytes.length - 800)), { ok: false, code: 'STORE_CORRUPT' });
  t.match(decodeModel(new Uint8Array(3)), { ok: false, code: 'STORE_CORRUPT' });

  const again = finish(trainCandidate(entries, { titles, incumbent: named }));
  t.equal(again.incumbent?.ndcg10, again.candidate.ndcg10, 'the same model does as well');
  t.notOk(isBetter(again), 'which is no reason to change');

  // One that knows the titles by other numbers, and not all of them.
  const moved = titles.toReversed().slice(0, 40);
  const own = { ...named, model: inSpaceOf(named, moved), titles: moved };
  for (const [item, other] of [
    [0, 1],
    [5, 30],
    [39, 2],
  ] as const)
    t.equal(
      weightBetween(own.model.ease, item, other),
      weightBetween(first.model.ease, 59 - item, 59 - other),
      'weights go with their titles',
    );
  const against = finish(trainCandidate(entries, { titles, incumbent: own }));
  t.ok((against.incumbent?.ndcg10 ?? 1) < against.candidate.ndcg10, 'who knows less does less');
  t.ok(isBetter(against));
});

t.test('of nobody who judges nothing follows', async (t) => {
  const lone = finish(
    trainCandidate(people({ users: 1, items: 6, each: 3 }), {
      titles: Array.from({ length: 6 }, (_, item) => `title_${item}`),
      incumbent: undefined,
    }),
  );
  const unjudged = { ...lone, candidate: { ...lone.candidate, users: 0 } };
  t.notOk(isBetter(unjudged), 'not even better than no model');
  t.notOk(isBetter({ ...unjudged, incumbent: lone.candidate }));
});
