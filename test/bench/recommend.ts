// `./dev bench recommend [RATINGS]`: what training costs on a large made-up audience, and how good its lists are on a file of ratings.
import { scoreRatings } from '../../control-plane/lab.ts';
import {
  interactionsOf,
  type Interactions,
} from '../../control-plane/services/recommendations/core/interactions.ts';
import {
  modelDefaults,
  trainBase,
  trainEase,
} from '../../control-plane/services/recommendations/core/model.ts';
import { finish, type Work } from '../../control-plane/services/recommendations/core/work.ts';
import { lessIsBetter, moreIsBetter, runBench, type Figure } from '../support/bench.ts';
import { seededRandom } from '../support/seeded.ts';

const GiB = 2 ** 30;
/** What a catalogue keeps of each title to serve by. */
const perItem = 200;
const tastes = 20;

await runBench('recommend', async ({ quick, files, wants }) => {
  const size = quick
    ? { users: 5000, items: 1000, events: 500_000 }
    : { users: 100_000, items: 10_000, events: 20_000_000 };
  const figures: Figure[] = [];
  const rows: string[][] = [];
  if (wants('recommend.train')) {
    const interactions = audience(size);
    const begun = performance.now();
    const timed = <T>(name: string, work: Work<T>): void => {
      const started = performance.now();
      finish(work);
      rows.push([name, ((performance.now() - started) / 1000).toFixed(1)]);
    };
    timed('item-kNN, iALS, popularity', trainBase(interactions, modelDefaults));
    timed('EASE', trainEase(interactions, { ...modelDefaults, perItem }));
    const limit = { peer: 'limit', goal: 1 };
    const seconds = (performance.now() - begun) / 1000;
    const rss = process.resourceUsage().maxRSS * 1024;
    figures.push(
      lessIsBetter({ ...limit, name: 'recommend.train.seconds', ours: seconds, theirs: 600, unit: 's' }),
      lessIsBetter({ ...limit, name: 'recommend.train.rss', ours: rss / GiB, theirs: 4, unit: 'GiB' }),
    );
  }
  for (const ratings of files) {
    const { results } = await scoreRatings({
      ...{ ratings, protocol: 'recbole', seed: 1, signal: new AbortController().signal },
      onProgress: () => undefined,
    });
    const blend = results.find(({ model }) => model === 'blend');
    figures.push(
      moreIsBetter({
        ...{ name: 'recommend.ndcg10', ours: blend?.ndcg10 ?? NaN, peer: 'limit', theirs: 0.32 },
        ...{ unit: 'nDCG@10', goal: 1 },
      }),
    );
  }
  const notes = [
    `Training: ${size.events} events of ${size.users} made-up users and ${size.items} titles, one after the other on one core, the making of the audience not counted; memory is the most that the whole process took.`,
    files.length === 0
      ? 'No file of ratings was given, so recommend.ndcg10 was not measured.'
      : `Lists: RecBole's protocol on ${files.length} file of ratings.`,
  ];
  return { figures, notes, details: { head: ['part', 'seconds'], rows } };
});

/** Users of some tastes who watch what is popular within them; nobody the same title twice. */
function audience({ users, items, events }: { users: number; items: number; events: number }): Interactions {
  const random = seededRandom(2026);
  const userOf = new Uint32Array(events);
  const itemOf = new Uint32Array(events);
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
      itemOf[count++] = item;
      found++;
    }
  }
  const entries = { userOf: userOf.subarray(0, count), itemOf: itemOf.subarray(0, count) };
  return interactionsOf({ ...entries, weightOf: new Float32Array(count).fill(1) }, { users, items });
}
