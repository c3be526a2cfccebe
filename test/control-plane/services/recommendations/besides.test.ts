import t from 'tap';
import { Besides } from '../../../../control-plane/services/recommendations/besides.ts';
import { basisOf } from '../../../../control-plane/services/recommendations/core/basis.ts';
import { bestAmong, bestScored } from '../../../../control-plane/services/recommendations/core/best-items.ts';
import { catalogueOf } from '../../../../control-plane/services/recommendations/core/catalogue.ts';
import { Learned } from '../../../../control-plane/services/recommendations/core/learned.ts';
import { wholeOffer, type Offer } from '../../../../control-plane/services/recommendations/core/offer.ts';
import { PersonScorer } from '../../../../control-plane/services/recommendations/core/person-scorer.ts';
import { besideMax } from '../../../../control-plane/services/recommendations/core/rows.ts';
import { finish } from '../../../../control-plane/services/recommendations/core/work.ts';
import { pick, seededRandom } from '../../../support/seeded.ts';

const nowMs = 1_800_000_000_000;
const count = 600;
const random = seededRandom(3);
const titles = Array.from({ length: count }, (_, at) => ({
  ...{ id: `title_${at}`, name: `Title ${at}`, sinceMs: nowMs - at * 1_000_000 },
  ...{
    genres: [`genre ${pick(random, 9)}`, `genre ${pick(random, 9)}`],
    people: [`person ${pick(random, 50)}`],
  },
}));
const learned = new Learned({ titlesMax: 1000 });
const basis = finish(basisOf({ catalogue: finish(catalogueOf(titles)), named: undefined }, learned, nowMs));
const offerOf = (isAllowed: (title: number) => boolean): Offer =>
  wholeOffer(
    basis,
    Uint8Array.from(titles, (_, at) => (isAllowed(at) ? 1 : 0)),
  );

/** As it is worked out for one person alone. */
function plainly(title: number, offer: Offer, without: ReadonlySet<number>): number[] {
  const met = { titles: Uint32Array.of(title), weights: Float32Array.of(1) };
  const { titles: all, scores } = new PersonScorer(basis, learned).score(met, offer);
  const left = [...all].filter((other) => !without.has(other));
  return [...bestAmong(left, besideMax, (other) => scores[other]!).titles];
}

t.test(
  'what is remembered beside a title is what is worked out anew, for each offer and person',
  async (t) => {
    const scorer = new PersonScorer(basis, learned);
    const besides = new Besides(scorer);
    const offers = [offerOf(() => true), offerOf((title) => title % 3 > 0)];
    const nobody = new Set<number>();
    const some = new Set([1, 2, 7, 100, 250]);
    const nearlyAll = new Set(titles.keys().filter((title) => title % 5 > 0));
    for (const title of [7, 200, 7])
      for (const [at, offer] of offers.entries())
        for (const without of [nobody, some, nearlyAll]) {
          const found = [...besides.of(title, { offer, also: [], without }).titles];
          t.strictSame(found, plainly(title, offer, without), `beside ${title}, offer ${at}`);
          // Somebody else's turn in between.
          scorer.score({ titles: Uint32Array.of(3, 9), weights: Float32Array.of(1, 1) }, offers[1 - at]!);
        }
  },
);

t.test('a turn of the scorer leaves nothing of the one before', async (t) => {
  const scorer = new PersonScorer(basis, learned);
  const met = { titles: Uint32Array.of(5), weights: Float32Array.of(1) };
  const [all, few] = [offerOf(() => true), offerOf((title) => title < 10)];
  scorer.score(met, all);
  const { titles: scored, scores } = scorer.score(met, few);
  t.strictSame([...scored], [...few.candidates]);
  t.ok(scores.every((score, title) => score > -Infinity === title < 10));
});

t.test('the best by scores are the best by what tells them', async (t) => {
  const scores = Float64Array.from({ length: 300 }, () => pick(random, 20));
  const among = Uint32Array.from({ length: 200 }, (_, at) => 299 - at);
  for (const most of [0, 1, 7, 100, 500])
    t.strictSame(
      bestScored(among, most, scores),
      bestAmong(among, most, (title) => scores[title]!),
    );
});
