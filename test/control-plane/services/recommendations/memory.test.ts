import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { openBlobs } from '../../../../common/adapters/blobs/open.ts';
import { openSqliteRecords } from '../../../../common/adapters/records/sqlite.ts';
import { createSeededChance } from '../../../../common/runtime/chance.ts';
import { createSilentLog } from '../../../../common/runtime/log.ts';
import { createManualClock } from '../../../../common/runtime/manual-clock.ts';
import { Learned } from '../../../../control-plane/services/recommendations/core/learned.ts';
import { encodeModel } from '../../../../control-plane/services/recommendations/core/model-codec.ts';
import type { ProfileTaste } from '../../../../control-plane/services/recommendations/core/taste-of.ts';
import { Learning } from '../../../../control-plane/services/recommendations/learning.ts';
import { ModelBook } from '../../../../control-plane/services/recommendations/models.ts';
import { recommendationsDefaults } from '../../../../control-plane/services/recommendations/ports.ts';
import { openRecommendationRecords } from '../../../../control-plane/services/recommendations/records.ts';
import {
  createRecommendations,
  type Recommendations,
} from '../../../../control-plane/services/recommendations/service.ts';
import { createRowTickets } from '../../../../control-plane/services/recommendations/tickets.ts';
import { openSeals } from '../../../../control-plane/services/seals.ts';
import { Worlds } from '../../../../control-plane/services/recommendations/world.ts';
import { temporaryDir } from '../../support/control-plane.ts';

const startMs = 1_800_000_000_000;
const profileId = 'prf_0123456789abcdef';
const film = (number: number): string => `title_${number}`;
const films = Array.from({ length: 20 }, (_, number) => ({
  ...{ id: film(number), name: `Film ${number}`, kind: 'movie' as const, parentId: undefined },
  ...{ genres: [number % 2 === 0 ? 'Drama' : 'War'], people: [], sinceMs: startMs, durationMs: 6_000_000 },
}));

/** The service over real records and blobs, with one profile whose taste a test changes and counts the readings of. */
async function openLab(t: Test) {
  const clock = createManualClock({ nowMs: startMs });
  const directory = await temporaryDir(t);
  const records = await openSqliteRecords(join(directory, 'recommendations.db'));
  const blobs = await openBlobs(pathToFileURL(join(directory, 'blobs')).href);
  const chance = createSeededChance(1);
  const profile = { readings: 0, seen: [] as string[], isRead: () => Promise.resolve() };
  const watched = (titleId: string): ProfileTaste['seen'][number] => ({
    ...{ titleId, positionMs: 6_000_000, durationMs: 6_000_000, progress: 'ended', atMs: startMs },
  });
  const service = await createRecommendations({
    ...{ records, blobs, clock, chance, log: createSilentLog(), options: recommendationsDefaults },
    titles: {
      current: async () => undefined,
      find: (id) => films.find((one) => one.id === id),
      ids: () => films.map(({ id }) => id),
      next: () => undefined,
      isShown: () => true,
      nameIn: (id) => id,
      onChange: () => () => undefined,
    },
    profiles: {
      async *ids() {
        yield profileId;
      },
      of: async () => [profileId],
      async taste(id) {
        if (id === profileId) profile.readings++;
        else await profile.isRead();
        return { seen: profile.seen.map(watched), ratings: new Map(), hidden: new Set() };
      },
    },
    tickets: createRowTickets({ seals: await openSeals({ records, chance }), clock }),
  });
  t.teardown(async () => {
    await service.stop();
    await blobs.close();
    await records.close();
  });
  return { service, clock, profile, records, blobs };
}

async function titlesFor(service: Recommendations): Promise<string[]> {
  const ask = { who: { profileId }, viewer: { maturityMax: 18 }, languages: [], seed: 1 };
  return (await service.rows(ask)).rows.flatMap(({ titles }) => titles.map(({ titleId }) => titleId));
}

function told(titleId: string) {
  const said = { titleId, atMs: startMs, sequence: 1, viewingId: 'viewing-1', startedAtMs: startMs };
  const report = { kind: 'progress' as const, ...said, positionMs: 6_000_000, watchedMs: 6_000_000 };
  return { profileId, region: undefined, reports: [report] };
}

t.test('a taste is read anew when its time is over, though nothing was told', async (t) => {
  const { service, clock, profile } = await openLab(t);
  t.ok((await titlesFor(service)).includes(film(0)));
  profile.seen = [film(0)];
  t.ok((await titlesFor(service)).includes(film(0)), 'the report was lost on its way');
  await clock.advance(recommendationsDefaults.tasteKeptMs + 1);
  t.notOk((await titlesFor(service)).includes(film(0)), 'until its time is over');
  t.equal(profile.readings, 2);
});

t.test('what is forgotten of a profile is forgotten everywhere', async (t) => {
  const { service, profile } = await openLab(t);
  const begun = async (): Promise<number> => {
    const ask = { who: { watched: [] }, viewer: { maturityMax: 18 }, languages: [], seed: 1 };
    await service.flush();
    const { score } = await service.explain({ ...ask, titleId: film(3), by: 'operator' });
    return score?.popularity ?? NaN;
  };
  t.equal(await begun(), 0);
  profile.seen = [film(3)];
  service.note(told(film(3)));
  const once = await begun();
  t.ok(once > 0, 'somebody has begun it');
  const { readings } = profile;
  service.note(told(film(3)));
  await service.flush();
  t.equal(profile.readings, readings, 'which counts once a day');
  // The erasure waits for what is being learned, which would remember the profile after it.
  await service.personal.erase('acc_1');
  service.note(told(film(3)));
  await service.flush();
  t.equal(profile.readings, readings + 1, 'somebody else, as far as is known');
  await service.forget([profileId]);
  await titlesFor(service);
  t.equal(profile.readings, readings + 2, 'nor is the taste of a removed profile kept');
});

t.test('a profile is forgotten without waiting for what is learned of others', async (t) => {
  const { service, profile } = await openLab(t);
  const reading = Promise.withResolvers<void>();
  profile.isRead = () => reading.promise;
  let isLearned = false;
  service.note({ ...told(film(3)), profileId: 'prf_somebody_else0' });
  const learned = service.flush().then(() => {
    isLearned = true;
  });
  await service.forget([profileId]);
  t.notOk(isLearned);
  reading.resolve();
  await learned;
});

t.test('what could not be written is written the next time', async (t) => {
  const { records: all, service } = await openLab(t);
  await service.stop();
  const records = openRecommendationRecords(all);
  const learned = new Learned({ titlesMax: 10 });
  let isFull = true;
  const commit: typeof all.commit = (operations) =>
    isFull ? Promise.reject(new Error('no space is left')) : all.commit(operations);
  const learning = new Learning({
    ...{ learned, clock: createManualClock({ nowMs: startMs }), log: createSilentLog() },
    records: { ...records, all: { ...all, commit } },
    tasteOf: () => Promise.reject(new Error('nobody is asked')),
    ...{ offeredFor: () => undefined, isKnown: () => false },
  });
  learned.noteBegun(film(1), 'DE', startMs);
  await t.rejects(learning.keep(), { message: 'no space is left' });
  isFull = false;
  await learning.keep();
  t.match((await records.learned.get(film(1)))?.value, { begun: { DE: { fast: 1 } } });
});

t.test('a ticket of a row is read for a day', async (t) => {
  const { records, clock } = await openLab(t);
  const tickets = createRowTickets({
    seals: await openSeals({ records, chance: createSeededChance(1) }),
    clock,
  });
  const reason = { kind: 'popular' } as const;
  const title = {
    titleId: 'title_00000001',
    name: 'Film 1',
    kind: 'movie',
    propensity: 0.5,
    reason,
  } as const;
  const ticket = tickets.write({ kind: 'top', titles: [title] }, undefined);
  await clock.advance(86_400_000);
  t.match(tickets.read(ticket), { row: 'top', titles: [{ titleId: title.titleId, propensity: 0.5 }] });
  await clock.advance(1);
  t.equal(tickets.read(ticket), undefined);
});

t.test('models are kept, put in force and let go one after another, with their files', async (t) => {
  const { records: all, blobs, service } = await openLab(t);
  await service.stop();
  const records = openRecommendationRecords(all);
  const book = new ModelBook({ records, blobs, log: createSilentLog(), modelsKept: 2 });
  await book.open();
  const scores = { ndcg10: 0, recall10: 0, mrr10: 0, precision10: 0, users: 1 };
  const add = (number: number) =>
    book.add(
      {
        ...{ id: `model_0000000${number}`, trainedAtMs: number, cutAtMs: 0, trainSeconds: 0, profiles: 1 },
        ...{ titles: 1, meetings: 1, lambda: 1, judged: scores, popularity: scores, better: true },
        blend: { ease: 1, itemKnn: 0, factors: 0, popularity: 0 },
      },
      Uint8Array.of(number),
    );
  await blobs.write('recommendation-models/model_of_a_crash', bytesOfNothing());
  await Promise.all([1, 2, 3, 4].map(add));
  const changes = [{ attemptAtMs: 7 }, { promoted: 'model_00000003' }, { last: lastOutcome }];
  await Promise.all(changes.map((change) => book.note(change)));
  t.match(book.state, { attemptAtMs: 7, promoted: 'model_00000003', last: lastOutcome }, 'no change is lost');
  t.strictSame((await records.state.get('state'))?.value, book.state);
  await add(5);
  await add(6);
  const kept = ['model_00000003', 'model_00000005', 'model_00000006'];
  t.strictSame((await book.list()).map(({ id }) => id).sort(), kept, 'the latest, and the one in force');
  const files = (await blobs.list('recommendation-models/')).map(({ key }) => key.split('/')[1]);
  t.strictSame(files, kept, 'and no file of any other');
});

t.test('a model that was judged is put in force only instead of what it was judged beside', async (t) => {
  const { records: all, blobs, service } = await openLab(t);
  await service.stop();
  const records = openRecommendationRecords(all);
  const book = new ModelBook({ records, blobs, log: createSilentLog(), modelsKept: 9 });
  const scores = { ndcg10: 0, recall10: 0, mrr10: 0, precision10: 0, users: 1 };
  const blend = { ease: 1, itemKnn: 0, factors: 0, popularity: 0 };
  const [first, second, chosen] = ['model_00000001', 'model_00000002', 'model_00000003'] as const;
  for (const id of [first, second, chosen])
    await book.add(
      {
        ...{ id, trainedAtMs: 1, cutAtMs: 0, trainSeconds: 0, profiles: 1, titles: 1, meetings: 1 },
        ...{ lambda: 1, judged: scores, popularity: scores, better: true, blend },
      },
      encodeModel({ version: id, titles: [film(0)], model: modelOfOne, blend }),
    );
  t.equal(await book.promoteInsteadOf(undefined, first), true);
  // An operator asks just before the training does: the file is still being read when that asks what is in force.
  const answers = await Promise.all([book.promote(chosen), book.promoteInsteadOf(first, second)]);
  t.equal(answers[1], false);
  t.match([book.promoted?.version, book.state.promoted], [chosen, chosen], 'the operator is not overruled');
  t.equal(await book.promoteInsteadOf(undefined, second), false);
  t.equal(await book.promoteInsteadOf(chosen, second), true);
});

t.test('what rows are made of is made anew once at a time', async (t) => {
  const order: string[] = [];
  const many = Array.from({ length: 30_000 }, (_, at) => ({ ...films[0]!, id: film(at) }));
  const byId = new Map(many.map((one) => [one.id, one]));
  const worlds = new Worlds({
    titles: {
      find: (id) => byId.get(id),
      ids() {
        order.push('read');
        return [...byId.keys()];
      },
      next: () => undefined,
      isShown: () => true,
      nameIn: (id) => id,
      onChange: () => () => undefined,
    },
    learned: new Learned({ titlesMax: 1 }),
    model() {
      order.push('made');
      return undefined;
    },
    clock: createManualClock({ nowMs: startMs }),
  });
  const { signal } = new AbortController();
  await worlds.now(signal);
  const refreshed = [1, 2].map((number) => {
    byId.set(`title_new_${number}`, { ...films[0]!, id: `title_new_${number}` });
    worlds.titlesChanged();
    return worlds.refresh(signal);
  });
  await Promise.all(refreshed);
  t.strictSame(order.slice(0, 4), ['read', 'made', 'read', 'made']);
  t.ok((await worlds.now(signal)).catalogue.indexOf.has('title_new_2'));
  const aborted = new AbortController();
  worlds.titlesChanged();
  const stopped = worlds.refresh(aborted.signal);
  aborted.abort();
  await t.rejects(stopped, { code: 'ABORTED' });
  byId.set('title_last', { ...films[0]!, id: 'title_last' });
  await worlds.refresh(signal);
  t.ok((await worlds.now(signal)).catalogue.indexOf.has('title_last'), 'what was not read is read next time');
});

const weightsOfOne = {
  items: 1,
  offsets: Uint32Array.of(0, 0),
  itemOf: new Uint32Array(),
  weights: new Float32Array(),
};
const modelOfOne = {
  ...{ items: 1, ease: weightsOfOne, itemKnn: weightsOfOne, popularity: Float64Array.of(1) },
  factors: {
    ...{ items: 1, rank: 1, unmetWeight: 1, regularisation: 1, rounds: 1 },
    ...{ values: Float64Array.of(1), gram: Float64Array.of(1) },
  },
};

const lastOutcome = { outcome: 'failed' as const, endedAtMs: 8, detail: 'a test' };

async function* bytesOfNothing(): AsyncGenerator<Uint8Array> {
  yield Uint8Array.of(1);
}
