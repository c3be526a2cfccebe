// `./dev bench recommend [RATINGS]`: what training costs on a large made-up audience, how long rows take then, and how good lists are on
// a file of ratings.
import { scoreRatings } from '../../control-plane/lab.ts';
import type { TimedEntries } from '../../control-plane/services/recommendations/core/by-time.ts';
import { trainCandidate, type Candidate } from '../../control-plane/services/recommendations/core/train.ts';
import type { Work } from '../../control-plane/services/recommendations/core/work.ts';
import { lessIsBetter, moreIsBetter, runBench, type Figure } from '../support/bench.ts';
import { seededRandom } from '../support/seeded.ts';
import { measureRows } from './recommend/rows.ts';

const GiB = 2 ** 30;
const tastes = 20;
const limit = { peer: 'limit', goal: 1 };

interface AudienceSize {
  readonly users: number;
  readonly items: number;
  readonly events: number;
}

await runBench('recommend', async ({ quick, files, wants }) => {
  const size = quick
    ? { users: 5000, items: 1000, events: 500_000 }
    : { users: 100_000, items: 10_000, events: 20_000_000 };
  const figures: Figure[] = [];
  const rows: string[][] = [];
  let model = wants('recommend.train') ? trained(size, { figures, rows }) : undefined;
  if (wants('recommend.rows')) {
    const small = { users: 2000, items: 1000, events: 100_000 };
    model ??= told('a small model', trainCandidate(audience(small), named(small.items))).model;
    const measured = await measureRows(model, { titles: 100_000, requests: quick ? 500 : 5000 });
    figures.push(
      lessIsBetter({ ...limit, name: 'recommend.rows.p99', ours: measured.p99Ms, theirs: 10, unit: 'ms' }),
    );
    rows.push(['rows, p50 of all', `${measured.p50Ms.toFixed(2)} ms`]);
    rows.push([
      'rows, p99 with ten titles',
      `${(await measureRows(undefined, { titles: 10, requests: 500 })).p99Ms.toFixed(2)} ms`,
    ]);
  }
  for (const ratings of files) {
    const { results } = await scoreRatings({
      ...{ ratings, protocol: 'recbole', seed: 1, signal: new AbortController().signal },
      onProgress: () => undefined,
    });
    const blend = results.find(({ model: name }) => name === 'blend');
    figures.push(
      moreIsBetter({
        ...{ name: 'recommend.ndcg10', ours: blend?.ndcg10 ?? NaN, peer: 'limit', theirs: 0.32 },
        ...{ unit: 'nDCG@10', goal: 1 },
      }),
    );
  }
  const notes = [
    `Training: ${size.events} events of ${size.users} made-up users and ${size.items} titles, split by time, judged and chosen as the service does it, on one core; the making of the audience is not counted. Memory is the most that the whole process took until then.`,
    'Rows: answers of the service for people who have met 40 titles, one after another from warm state, in a catalogue of 100,000 titles.',
    files.length === 0
      ? 'No file of ratings was given, so recommend.ndcg10 was not measured.'
      : `Lists: RecBole's protocol on ${files.length} file of ratings.`,
  ];
  return { figures, notes, details: { head: ['part', 'took'], rows } };
});

function trained(
  size: AudienceSize,
  { figures, rows }: { figures: Figure[]; rows: string[][] },
): Candidate['model'] {
  const entries = audience(size);
  const started = performance.now();
  const { model, candidate, popularity } = told('training', trainCandidate(entries, named(size.items)));
  const seconds = (performance.now() - started) / 1000;
  const rss = process.resourceUsage().maxRSS * 1024;
  rows.push(['training', `${seconds.toFixed(1)} s`]);
  rows.push([
    'nDCG@10 of later days',
    `${candidate.ndcg10.toFixed(3)} (popularity ${popularity.ndcg10.toFixed(3)})`,
  ]);
  figures.push(
    lessIsBetter({ ...limit, name: 'recommend.train.seconds', ours: seconds, theirs: 600, unit: 's' }),
    lessIsBetter({ ...limit, name: 'recommend.train.rss', ours: rss / GiB, theirs: 4, unit: 'GiB' }),
  );
  return model;
}

/** Does work to its end, and says now and then how far it is: at full size it takes minutes. */
function told<T>(what: string, work: Work<T>): T {
  const started = performance.now();
  for (let said = 0; ;) {
    const { done, value } = work.next();
    if (done === true) return value;
    if (value - said < 0.05) continue;
    said = value;
    const seconds = (performance.now() - started) / 1000;
    process.stderr.write(`${what}: ${(100 * value).toFixed(0)} % after ${seconds.toFixed(0)} s\n`);
  }
}

function named(items: number) {
  return { titles: Array.from({ length: items }, (_, item) => `title_${item}`), incumbent: undefined };
}

/** Users of some tastes who watch what is popular within them over a hundred days; nobody the same title twice. */
function audience({ users, items, events }: AudienceSize): TimedEntries {
  const random = seededRandom(2026);
  const userOf = new Uint32Array(events);
  const itemOf = new Uint32Array(events);
  const timeOf = new Uint32Array(events);
  const met = new Uint32Array(items);
  let count = 0;
  for (let user = 0; user < users; user++) {
    const left = (events - count) / (users - user);
    const wanted =
      user === users - 1 ? left : Math.min(items / 4, Math.round(left * (0.25 + 1.5 * random())));
    for (let found = 0; found < Math.min(wanted, items / 2);) {
      const taste = random() < 0.8 ? user % tastes : Math.floor(random() * tastes);
      const item = Math.min(items - 1, tastes * Math.floor(random() ** 3 * (items / tastes)) + taste);
      if (met[item] === user + 1) continue;
      met[item] = user + 1;
      userOf[count] = user;
      timeOf[count] = Math.floor(random() * 100 * 86_400);
      itemOf[count++] = item;
      found++;
    }
  }
  const weightOf = new Float32Array(count).fill(1);
  return {
    ...{ userOf: userOf.subarray(0, count), itemOf: itemOf.subarray(0, count), weightOf },
    ...{ timeOf: timeOf.subarray(0, count), users, items },
  };
}
