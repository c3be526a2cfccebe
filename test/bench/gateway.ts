// `./dev bench gateway`: whether viewers still start to play while twelve times the ordinary load browses, and how soon it is over.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { lessIsBetter, moreIsBetter, runBench, type BenchReport, type Figure } from '../support/bench.ts';
import { measureOverload, shareAnswered, type OverloadRun } from './gateway/overload.ts';
import { buildHttpLoad } from './http-load.ts';

await runBench('gateway', async ({ quick, wants }): Promise<BenchReport> => {
  const folder = await mkdtemp(join(tmpdir(), 'bench-gateway-'));
  try {
    const load = await buildHttpLoad(folder);
    const overload = await measureOverload({ folder, load }, { seconds: quick ? 3 : 20 });
    const figures = overloadFigures(overload).filter(({ name }) => wants(name));
    return { figures, notes: overloadNotes(overload), details: overloadDetails(overload) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

function overloadFigures({ playback, recoverSeconds }: OverloadRun): Figure[] {
  const limit = { peer: 'limit', goal: 1 };
  return [
    moreIsBetter({ ...limit, name: 'gateway.overload.playback', ours: playback, theirs: 0.994, unit: 'of requests' }), // prettier-ignore
    lessIsBetter({ ...limit, name: 'gateway.overload.recover', ours: recoverSeconds, theirs: 30, unit: 's' }),
  ];
}

function overloadNotes({ capacity, ordinary, during }: OverloadRun): string[] {
  return [
    `Overload: a whole control plane on one core, which lists 20 titles to ${capacity.toFixed(0)} viewers a second; a quarter of that is its ordinary load.`,
    `At twelve times ${ordinary.toFixed(0)}/s, ${(100 * shareAnswered(during.browse)).toFixed(0)} % of the requests to browse were answered and the others refused with 429; viewers began to play 20 times a second, the slowest in ${(during.play.maxUs / 1000).toFixed(0)} ms.`,
  ];
}

function overloadDetails({ before, during }: OverloadRun): BenchReport['details'] {
  const head = ['load', 'who', 'answered', 'refused', 'failed', 'p50 ms', 'p99 ms', 'max ms'];
  const rows = Object.entries({ ordinary: before, 'twelve times': during }).flatMap(([load, pair]) =>
    Object.entries(pair).map(([who, turn]) => [
      ...[load, who, ...[turn.answered, turn.refused, turn.failed + turn.dropped].map(String)],
      ...[turn.p50Us, turn.p99Us, turn.maxUs].map((us) => (us / 1000).toPrecision(3)),
    ]),
  );
  return { head, rows };
}
