// `./dev bench users`: what devices report of viewings, judged and durable, on one core.
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openViewing } from '../../common/adapters/viewing/open.ts';
import type { ViewingBatch, ViewingReport } from '../../common/contract/viewing.ts';
import { createSystemClock } from '../../common/runtime/clock.ts';
import { createWatched, type Watched } from '../../control-plane/services/users/watched.ts';
import { moreIsBetter, runBench } from '../support/bench.ts';
import { pick, seededRandom } from '../support/seeded.ts';

const titles = 10_000;
const durationMs = 6_000_000;
const atOnce = 50;
const MiB = 2 ** 20;

/** How many reports a batch has, and of how many titles. */
interface Kind {
  readonly name: string;
  readonly reports: number;
  readonly titles: number;
}

const kinds: readonly Kind[] = [
  { name: 'one report', reports: 1, titles: 1 },
  { name: '20 of 20 titles', reports: 20, titles: 20 },
  { name: '200 of one title, after some hours offline', reports: 200, titles: 1 },
];

await runBench('users', async ({ quick }) => {
  const profiles = quick ? 10_000 : 100_000;
  const seconds = quick ? 1 : 5;
  const dir = mkdtempSync(join(tmpdir(), 'nearcast-bench-'));
  try {
    const path = join(dir, 'viewing.db');
    const clock = createSystemClock();
    const onLost = (error: Error): never => {
      throw error;
    };
    const viewing = await openViewing(`sqlite://${path}`, { onLost });
    const watched = createWatched({
      ...{ viewing, clock, exists: () => Promise.resolve(true) },
      titles: {
        find: async ({ ids }) => ({ titles: ids.map((id) => ({ id, name: 'a title', durationMs })) }),
      },
    });
    const rates: number[] = [];
    for (const kind of kinds) rates.push(await rateOf(watched, { kind, profiles, seconds }));
    const sizeMiB = statSync(path).size / MiB;
    await viewing.close();
    return {
      figures: [
        moreIsBetter({
          ...{ name: 'users.resume.write', ours: rates[1] ?? NaN, peer: 'limit', theirs: 20_000 },
          ...{ unit: 'reports/s/core', goal: 1 },
        }),
      ],
      notes: [
        `${profiles} profiles, ${titles} titles; ${atOnce} devices report at once, each batch judged, joined and on the disk before its answer, in one thread. The file has ${sizeMiB.toFixed(0)} MiB at the end.`,
        'Without HTTP, which the bench of the gateway measures.',
      ],
      details: {
        head: ['batches of', 'reports/s'],
        rows: kinds.map(({ name }, at) => [name, (rates[at] ?? NaN).toFixed(0)]),
      },
    };
  } finally {
    rmSync(dir, { recursive: true });
  }
});

async function rateOf(
  watched: Watched,
  { kind, profiles, seconds }: { kind: Kind; profiles: number; seconds: number },
): Promise<number> {
  const random = seededRandom(kind.reports);
  const begun = performance.now();
  const endMs = begun + seconds * 1000;
  let reports = 0;
  let sequence = 0;
  const device = async (): Promise<void> => {
    while (performance.now() < endMs) {
      const batch = batchOf(kind, random, (sequence += kind.reports));
      await watched.report(`prf_profile-${pick(random, profiles)}`, batch);
      reports += batch.reports.length;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, device));
  return reports / ((performance.now() - begun) / 1000);
}

function batchOf(kind: Kind, random: () => number, sequence: number): ViewingBatch {
  const sentAtMs = Date.now();
  const first = pick(random, titles);
  const reports = Array.from({ length: kind.reports }, (_, at): ViewingReport => {
    const title = (first + (at % kind.titles) * 17) % titles;
    const [atMs, positionMs] = [sentAtMs - (kind.reports - at) * 30_000, pick(random, durationMs)];
    return {
      ...{
        kind: 'progress',
        titleId: `title_number-${title}`,
        viewingId: `viewing-${sequence + (at % kind.titles)}`,
      },
      ...{
        startedAtMs: sentAtMs - 8_000_000,
        atMs,
        sequence: sequence + at,
        positionMs,
        watchedMs: at * 30_000,
      },
    };
  });
  return { deviceId: 'the-device', sentAtMs, reports };
}
