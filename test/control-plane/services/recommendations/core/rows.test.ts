import fc from 'fast-check';
import t from 'tap';

import {
  catalogueOf,
  genreLikeness,
  type Catalogue,
} from '../../../../../control-plane/services/recommendations/core/catalogue.ts';
import { basisOf } from '../../../../../control-plane/services/recommendations/core/basis.ts';
import {
  bestAmong,
  type ScoredTitles,
} from '../../../../../control-plane/services/recommendations/core/best-items.ts';
import {
  ContentScorer,
  genreTaste,
} from '../../../../../control-plane/services/recommendations/core/content.ts';
import { Learned } from '../../../../../control-plane/services/recommendations/core/learned.ts';
import { offerOf, wholeOffer } from '../../../../../control-plane/services/recommendations/core/offer.ts';
import { PersonScorer } from '../../../../../control-plane/services/recommendations/core/person-scorer.ts';
import { pick } from '../../../../../control-plane/services/recommendations/core/pick.ts';
import {
  besideMax,
  rowsOf,
  type RowsInput,
} from '../../../../../control-plane/services/recommendations/core/rows.ts';
import { finish } from '../../../../../control-plane/services/recommendations/core/work.ts';
import { seededRandom } from '../../../../support/seeded.ts';

const nowMs = 1_800_000_000_000;
const dayMs = 86_400_000;
const genres = ['Drama', 'drama', 'Comedy', 'Crime', 'Western'];

const catalogue: fc.Arbitrary<Catalogue> = fc
  .array(
    fc.record({
      genres: fc.subarray(genres, { maxLength: 3 }),
      people: fc.subarray(['A', 'B', 'C', 'D'], { maxLength: 2 }),
      ageDays: fc.nat(400),
    }),
    { maxLength: 120 },
  )
  .map((titles) =>
    finish(
      catalogueOf(
        titles.map(({ ageDays, ...title }, at) => ({
          ...{ id: `title_${at}`, name: `Title ${at}`, sinceMs: nowMs - ageDays * dayMs },
          ...title,
        })),
      ),
    ),
  );

/** Somebody in some catalogue: what it has met is not offered to it, nor is what it may not have. */
const situation = fc
  .tuple(catalogue, fc.infiniteStream(fc.nat(9)), fc.nat(), fc.array(fc.nat(), { maxLength: 12 }))
  .map(([of, chances, seed, met]) => {
    const size = of.titles.length;
    const titles = [...new Set(size === 0 ? [] : met.map((one) => one % size))];
    const mayHave = of.titles.map(() => (chances.next().value ?? 0) > 1);
    const isShown = mayHave.map((may) => may && (chances.next().value ?? 0) > 0);
    return { of, seed, met: titles, mayHave, isShown };
  });
type Situation = typeof situation extends fc.Arbitrary<infer S> ? S : never;

function inputOf({ of, seed, met, mayHave, isShown }: Situation): RowsInput {
  const learned = new Learned({ titlesMax: 1000 });
  for (const [at, { id }] of of.titles.entries())
    if (at % 3 === 0) learned.noteBegun(id, 'DE', nowMs - at * dayMs);
  const basis = finish(basisOf({ catalogue: of, named: undefined }, learned, nowMs));
  const scorer = new PersonScorer(basis, learned);
  const own = { titles: Uint32Array.from(met), weights: new Float32Array(met.length).fill(1) };
  const offer = finish(
    offerOf(
      basis,
      Uint8Array.from(mayHave, (may) => (may ? 1 : 0)),
    ),
  );
  const trending = [...of.titles.keys()].filter((title) => title % 3 === 0);
  const scored = (titles: typeof own): ScoredTitles => {
    const all = scorer.score(titles, offer, trending);
    for (const title of met) all.scores[title] = -Infinity;
    return all;
  };
  const one = { titles: own.titles.subarray(0, 1), weights: own.weights.subarray(0, 1) };
  const anchors = [...one.titles].map((title) => {
    const { titles, scores } = scored(one);
    return { title, beside: bestAmong(titles, besideMax, (other) => scores[other]!) };
  });
  return {
    ...{ catalogue: of, offer, anchors, trending, scored: scored(own) },
    freshness: basis.freshness,
    genreTaste: genreTaste(of, own),
    speakerFor: (title) => scorer.speakersFor(title, own, 1)[0]?.title,
    mayShow: (title) => isShown[title] === true,
    fraction: seededRandom(seed),
  };
}

t.test('rows hold only what may be offered, each title once, with a reason and its chance', async (t) => {
  fc.assert(
    fc.property(situation, (one) => {
      const rows = rowsOf(inputOf(one));
      const titles = rows.flatMap((row) => row.titles.map(({ title }) => title));
      t.equal(new Set(titles).size, titles.length, 'no title twice');
      for (const title of titles) {
        if (one.met.includes(title)) t.fail('it was met');
        if (one.isShown[title] !== true) t.fail('it may not be shown');
      }
      for (const row of rows) {
        if (row.titles.length === 0 || row.titles.length > 20) t.fail(`${row.titles.length} titles`);
        for (const { propensity, reason, title } of row.titles) {
          if (!(propensity > 0 && propensity <= 1)) t.fail(`a chance of ${propensity}`);
          if (reason.kind === 'because' && !one.met.includes(reason.title))
            t.fail('because of what was not met');
          if (reason.kind === 'genre' && !one.of.titlesOfGenre[reason.genre]!.includes(title))
            t.fail('of another genre');
        }
      }
      const offered = one.of.titles.filter(
        (_, title) => one.isShown[title] === true && !one.met.includes(title),
      );
      // A few that may not be shown after all can empty a row of many.
      if (offered.length > 0 && one.of.titles.length < 12)
        t.ok(rows.length > 0, 'small catalogues have rows too');
    }),
    { numRuns: 150 },
  );
});

t.test('the same seed gives the same rows, another one others', async (t) => {
  fc.assert(
    fc.property(situation, (one) => {
      t.strictSame(rowsOf(inputOf(one)), rowsOf(inputOf(one)));
    }),
    { numRuns: 40 },
  );
  const titles = Array.from({ length: 60 }, (_, at) => ({
    ...{ id: `title_${at}`, name: `Title ${at}`, genres: [], people: [], sinceMs: 0 },
  }));
  const of = finish(catalogueOf(titles));
  const all = titles.map(() => true);
  const rows = (seed: number) => rowsOf(inputOf({ of, seed, met: [], mayHave: all, isShown: all }));
  t.strictNotSame(rows(1), rows(2), 'chance has a say');
});

t.test('chances are those with which titles are picked', async (t) => {
  const all = { titles: Uint32Array.of(0, 1, 2, 4), scores: Float64Array.of(0, 0.1, 0.2, 0.3) };
  const fraction = seededRandom(7);
  const first = new Float64Array(5);
  const told = new Float64Array(5);
  const rounds = 20_000;
  for (let round = 0; round < rounds; round++) {
    const [one] = pick(all, {
      ...{ count: 1, temperature: 0.15, fraction, likeness: () => 0, mayShow: () => true },
    });
    first[one!.title]!++;
    told[one!.title] = one!.propensity;
  }
  for (const title of [0, 1, 2, 4])
    t.ok(
      Math.abs(first[title]! / rounds - told[title]!) < 0.02,
      `${first[title]! / rounds} of ${told[title]}`,
    );
  const greedy = pick(all, {
    ...{ count: 9, temperature: 0, fraction, likeness: () => 0, mayShow: (title) => title !== 1 },
  });
  t.strictSame(
    greedy.map(({ title, propensity }) => [title, propensity]),
    [4, 2, 0].map((title) => [title, 1]),
  );
});

t.test('what is like its neighbours stands back', async (t) => {
  const all = { titles: Uint32Array.of(0, 1, 2, 3), scores: Float64Array.of(1, 0.95, 0.9, 0.5) };
  const picked = pick(all, {
    ...{ count: 3, temperature: 0, fraction: () => 0, mayShow: () => true },
    likeness: (one, other) => (one < 3 && other < 3 ? 1 : 0),
  });
  t.strictSame(
    picked.map(({ title }) => title),
    [0, 3, 1],
  );
});

t.test(
  'of many titles some are scored for everybody, with the scores that they have among all',
  async (t) => {
    const count = 21_000;
    const random = seededRandom(4);
    const of = finish(
      catalogueOf(
        Array.from({ length: count }, (_, at) => ({
          ...{ id: `title_${at}`, name: `Title ${at}`, sinceMs: nowMs - Math.floor(random() * 1000) * dayMs },
          genres: [genres[Math.floor(random() * 5)]!],
          people: [`person ${Math.floor(random() * 5000)}`],
        })),
      ),
    );
    const learned = new Learned({ titlesMax: count });
    for (let at = 0; at < count; at += 7)
      learned.noteBegun(`title_${at}`, undefined, nowMs - (at % 30) * dayMs);
    const basis = finish(basisOf({ catalogue: of, named: undefined }, learned, nowMs));
    const allowed = Uint8Array.from(of.titles, (_, at) => (at % 50 === 0 ? 0 : 1));
    const offer = finish(offerOf(basis, allowed));
    t.ok(offer.candidates.length < count / 2, `${offer.candidates.length} candidates`);
    t.notOk(
      offer.candidates.some((title) => allowed[title] === 0),
      'none that may not be shown',
    );
    t.ok(
      offer.ofGenre.every((titles) => titles.length >= 300 && titles.every((title) => allowed[title] === 1)),
    );
    const scorer = new PersonScorer(basis, learned);
    const met = { titles: Uint32Array.of(3, 1001, 20_003), weights: new Float32Array(3).fill(1) };
    const among = scorer.score(met, offer, [50, 12_345]);
    const [titles, scores] = [[...among.titles], among.scores.slice()];
    t.equal(new Set(titles).size, titles.length, 'each once');
    t.ok(titles.includes(12_345), 'what trends is scored too');
    t.notOk(titles.includes(50), 'where it may be shown');
    const fellow = of.titlesOfPerson.get(of.titles[3]!.people[0]!)?.find((title) => title !== 3);
    t.ok(
      fellow === undefined || allowed[fellow] === 0 || titles.includes(fellow),
      'and what the same people made',
    );
    const whole = scorer.score(met, wholeOffer(basis, allowed));
    t.strictSame(
      titles.map((title) => scores[title]),
      titles.map((title) => whole.scores[title]),
    );
    const bestOf = ({ titles, scores }: ScoredTitles) => [
      ...bestAmong(titles, 20, (one) => scores[one]!).titles,
    ];
    const best = bestOf(whole);
    const found = bestOf(scorer.score(met, offer)).filter((title) => best.includes(title));
    t.ok(found.length >= 18, `${found.length} of the best 20 of all are among the candidates`);
  },
);

t.test(
  'how alike titles are by genres and people has a root mean square of 1 over all of them',
  async (t) => {
    fc.assert(
      fc.property(situation, ({ of, met }) => {
        const content = new ContentScorer(of);
        for (const some of [met, met.slice(1)]) {
          content.turnTo({
            titles: Uint32Array.from(some),
            weights: new Float32Array(some.length).fill(0.5),
          });
          const all = of.titles.map((_, title) => content.of(title));
          const mean = all.reduce((sum, value) => sum + value * value, 0) / Math.max(1, all.length);
          if (mean !== 0 && Math.abs(mean - 1) > 1e-9) t.fail(`a mean square of ${mean}`);
        }
      }),
      { numRuns: 100 },
    );
    const by = (id: string, people: string[], own: string[]) => ({
      ...{ id, name: id, genres: own, people, sinceMs: 0 },
    });
    const of = finish(
      catalogueOf([
        by('a', ['Ada'], ['Drama']),
        by('b', ['Ada'], ['War']),
        by('c', [], ['Drama', 'War']),
        by('d', [], []),
      ]),
    );
    const content = new ContentScorer(of);
    content.turnTo({ titles: Uint32Array.of(0), weights: Float32Array.of(2) });
    t.strictSame([...content.besides], [1]);
    const [a, b, c, d] = [0, 1, 2, 3].map((title) => content.of(title));
    t.ok(a! > c! && c! > b! && b! > d!, 'the same genre, one of two, the same person, nothing');
    t.equal(d, 0);
  },
);

t.test('genres are one whatever their case, and alike by what they have in common', async (t) => {
  const title = (id: string, own: string[]) => ({ id, name: id, genres: own, people: [], sinceMs: 0 });
  const of = finish(
    catalogueOf([title('a', ['Drama', 'drama']), title('b', ['DRAMA', 'War']), title('c', [])]),
  );
  t.strictSame(of.genres, ['Drama', 'War']);
  t.equal(genreLikeness(of, 0, 1), 0.5);
  t.equal(genreLikeness(of, 0, 2), 0);
  const taste = genreTaste(of, { titles: Uint32Array.of(0), weights: Float32Array.of(1) });
  t.strictSame([...taste], [1, 0]);
});

t.test('genres are the larger the more of them may be shown', async (t) => {
  const abroad = Array.from({ length: 70 * 20 }, (_, at) => `Abroad ${at % 70}`);
  const local = Array.from({ length: 21_000 }, (_, at) => (at < 15 ? 'Local' : undefined));
  const of = finish(
    catalogueOf(
      [...abroad, ...local].map((genre, at) => ({
        ...{ id: `title_${at}`, name: `Title ${at}`, people: [], genres: genre === undefined ? [] : [genre] },
        sinceMs: nowMs - (genre === 'Local' ? 1000 : 500) * dayMs,
      })),
    ),
  );
  const learned = new Learned({ titlesMax: 2000 });
  for (let at = 0; at < 2000; at++) learned.noteBegun(`title_${of.titles.length - 1 - at}`, undefined, nowMs);
  const basis = finish(basisOf({ catalogue: of, named: undefined }, learned, nowMs));
  const allowed = Uint8Array.from(of.titles, (_, at) => (at < abroad.length ? 0 : 1));
  const offer = finish(offerOf(basis, allowed));
  t.same(
    offer.ofGenre.map(({ length }) => length).filter((length) => length > 0),
    [15],
  );
  t.ok(offer.candidates.length < 5000);
});
