import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { openBlobs } from '../../../common/adapters/blobs/open.ts';
import { openSqliteRecords } from '../../../common/adapters/records/sqlite.ts';
import { createSystemChance } from '../../../common/runtime/chance.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import type { Model } from '../../../control-plane/services/recommendations/core/model.ts';
import { encodeModel } from '../../../control-plane/services/recommendations/core/model-codec.ts';
import type { ProfileTaste } from '../../../control-plane/services/recommendations/core/taste-of.ts';
import { ModelBook } from '../../../control-plane/services/recommendations/models.ts';
import {
  recommendationsDefaults,
  type KnownTitle,
} from '../../../control-plane/services/recommendations/ports.ts';
import { openRecommendationRecords } from '../../../control-plane/services/recommendations/records.ts';
import { createRecommendations } from '../../../control-plane/services/recommendations/service.ts';
import { createRowTickets } from '../../../control-plane/services/recommendations/tickets.ts';
import { openSeals } from '../../../control-plane/services/seals.ts';
import { seededRandom } from '../../support/seeded.ts';

const metEach = 40;
const genres = ['Drama', 'Comedy', 'Crime', 'Western', 'War', 'Romance', 'Horror', 'Science fiction'];
const durationMs = 6_000_000;
const warmUp = 50;
const clock = createSystemClock();
const chance = createSystemChance();
const judged = { ndcg10: 0, recall10: 0, mrr10: 0, precision10: 0, users: 0 };

/** How long the service's rows take, one person after another. `model` knows the first of the titles. */
export async function measureRows(
  model: Model | undefined,
  { titles, requests }: { titles: number; requests: number },
): Promise<{ p50Ms: number; p99Ms: number }> {
  const directory = await mkdtemp(join(tmpdir(), 'nearcast-bench-'));
  const records = await openSqliteRecords(join(directory, 'recommendations.db'));
  const blobs = await openBlobs(pathToFileURL(join(directory, 'blobs')).href);
  const log = createSilentLog();
  try {
    if (model !== undefined)
      await putInForce(model, { records: openRecommendationRecords(records), blobs, log });
    const service = await createRecommendations({
      ...{ records, blobs, clock, chance, log, options: recommendationsDefaults },
      ...{ titles: titlesOf(titles), profiles: profilesOf(titles) },
      tickets: createRowTickets({ seals: await openSeals({ records, chance }), clock }),
    });
    const took: number[] = [];
    for (let request = 0; request < requests + warmUp; request++) {
      const started = performance.now();
      const who = { profileId: `prf_${request}` };
      await service.rows({
        who,
        viewer: { maturityMax: 18, region: 'DE' },
        languages: ['de'],
        seed: request,
      });
      if (request >= warmUp) took.push(performance.now() - started);
    }
    await service.stop();
    took.sort((one, other) => one - other);
    const at = (share: number): number => took[Math.floor(share * (took.length - 1))] ?? NaN;
    return { p50Ms: at(0.5), p99Ms: at(0.99) };
  } finally {
    await blobs.close();
    await records.close();
    await rm(directory, { recursive: true, force: true });
  }
}

async function putInForce(
  model: Model,
  options: Omit<ConstructorParameters<typeof ModelBook>[0], 'modelsKept'>,
): Promise<void> {
  const version = 'model_benchmark';
  const titles = Array.from({ length: model.items }, (_, item) => `title_${item}`);
  const blend = { ease: 1, itemKnn: 0.15, factors: 0.5, popularity: -0.2 };
  const book = new ModelBook({ ...options, modelsKept: 1 });
  const facts = {
    trainedAtMs: 0,
    cutAtMs: 0,
    trainSeconds: 0,
    profiles: 0,
    titles: titles.length,
    meetings: 0,
  };
  const record = { id: version, ...facts, lambda: 300, blend, judged, popularity: judged, better: true };
  await book.add(record, encodeModel({ version, titles, model, blend }));
  await book.promote(version);
}

function titlesOf(count: number) {
  const random = seededRandom(5);
  const all = new Map(
    Array.from({ length: count }, (_, at): [string, KnownTitle] => {
      const id = `title_${at}`;
      const some = [genres[at % genres.length] ?? '', genres[Math.floor(random() * genres.length)] ?? ''];
      const people = [`person ${Math.floor(random() * count)}`, `person ${Math.floor(random() * 1000)}`];
      const sinceMs = clock.nowMs() - Math.floor(random() * 1000) * 86_400_000;
      const known = { id, name: `Title ${at}`, kind: 'movie' as const, parentId: undefined, durationMs };
      return [id, { ...known, genres: some, people, sinceMs }];
    }),
  );
  return {
    current: async () => undefined,
    find: (id: string) => all.get(id),
    ids: () => [...all.keys()],
    next: () => undefined,
    isShown: (id: string) => all.has(id),
    nameIn: (id: string) => all.get(id)?.name ?? '',
    onChange: () => () => undefined,
  };
}

/** People who have met some of the first titles, the popular ones more. */
function profilesOf(titles: number) {
  return {
    async *ids(): AsyncGenerator<string> {
      yield 'prf_0';
    },
    of: async () => [],
    async taste(profileId: string): Promise<ProfileTaste> {
      const random = seededRandom(Number(profileId.slice(4)));
      const met = new Set<string>();
      for (let at = 0; at < metEach; at++)
        met.add(`title_${Math.floor(random() ** 2 * Math.min(titles / 2, 10_000))}`);
      const seen = [...met].map((titleId, at) => ({
        ...{ titleId, positionMs: durationMs, durationMs, progress: 'ended' as const },
        atMs: clock.nowMs() - at * 3_600_000,
      }));
      return { seen, ratings: new Map(), hidden: new Set() };
    },
  };
}
