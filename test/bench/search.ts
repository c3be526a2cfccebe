// `./dev bench search`: as-you-type queries on a large made-up catalogue, beside a plain FTS5 query of the same words, and beside the
// OpenSearch server that NEARCAST_TEST_OPENSEARCH_URL names, if any.
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import Database from 'better-sqlite3';

import { openSearch } from '../../common/adapters/search/open.ts';
import type { Search, SearchDocument } from '../../common/adapters/search/port.ts';
import { createSystemClock } from '../../common/runtime/clock.ts';
import { lessIsBetter, runBench } from '../support/bench.ts';
import { catalogue, groups, typed } from './search/catalogue.ts';

const batch = 1000;
const MiB = 2 ** 20;
await runBench('search', async ({ quick }) => {
  const titles = quick ? 10_000 : 100_000;
  const queries = quick ? 500 : 5000;
  const dir = mkdtempSync(join(tmpdir(), 'nearcast-bench-'));
  try {
    const made = catalogue(titles);
    const path = join(dir, 'search.db');
    const search = await openSearch(`sqlite://${path}`, { clock: createSystemClock() });
    const begun = performance.now();
    for (let from = 0; from < titles; from += batch) await search.put(made.slice(from, from + batch));
    const indexSeconds = (performance.now() - begun) / 1000;
    const cluster = await openSearchPeer(made);
    const plain = plainIndex(join(dir, 'plain.db'), made);
    const asked = typed(made, queries);
    const ours: number[] = [];
    const theirs: number[] = [];
    const clustered: number[] = [];
    const byKind = new Map<string, number[]>();
    let foundFirst = 0;
    const withFacets: number[] = [];
    for (const [at, { text, kind: sort, id }] of asked.entries()) {
      // Of every ten viewers one has a profile for which next to nothing is fit.
      const isLimited = at % 10 === 9;
      const kind = isLimited ? 'of a limited profile' : sort;
      const rights = isLimited ? ['children'] : groups;
      const started = performance.now();
      const hits = await ask(search, { text, rights });
      const middle = performance.now();
      plain(text);
      theirs.push(performance.now() - middle);
      ours.push(middle - started);
      if (cluster !== undefined) clustered.push(await timed(() => ask(cluster.search, { text, rights })));
      byKind.set(kind, [...(byKind.get(kind) ?? []), middle - started]);
      if (hits.includes(id)) foundFirst++;
      if (at % 10 !== 0) continue;
      const before = performance.now();
      await ask(search, { text, rights: groups, facets: ['kind', 'genre', 'year', 'maturity'] });
      withFacets.push(performance.now() - before);
    }
    await search.close();
    await cluster?.end();
    const limit = { peer: 'limit', goal: 1 };
    return {
      figures: [
        lessIsBetter({ ...limit, name: 'search.p95', ours: percentile(ours, 0.95), theirs: 15, unit: 'ms' }),
        lessIsBetter({
          ...{ name: 'search.p95.fts5', ours: percentile(ours, 0.95), theirs: percentile(theirs, 0.95) },
          ...{ peer: 'plain FTS5', unit: 'ms', goal: 0.5 },
        }),
        ...(cluster === undefined
          ? []
          : [
              lessIsBetter({
                ...{ name: 'search.p95.opensearch', ours: percentile(ours, 0.95), peer: 'OpenSearch' },
                ...{ theirs: percentile(clustered, 0.95), unit: 'ms', goal: 1 },
              }),
              lessIsBetter({
                ...{ name: 'search.index.opensearch', ours: indexSeconds, theirs: cluster.indexSeconds },
                ...{ peer: 'OpenSearch', unit: 's', goal: 1 },
              }),
            ]),
        lessIsBetter({
          ...{
            ...limit,
            name: 'search.facets.p95',
            ours: percentile(withFacets, 0.95),
            theirs: 50,
            unit: 'ms',
          },
        }),
        lessIsBetter({ ...limit, name: 'search.index.seconds', ours: indexSeconds, theirs: 120, unit: 's' }),
      ],
      notes: [
        `${titles} made-up titles with people, genres and descriptions; ${queries} queries one after the other: beginnings of 1 to 8 letters, whole names, names with a typo. All with the filters of a viewer's rights, one in ten those of a profile that one title in a thousand is fit for. Of all ${((100 * foundFirst) / queries).toFixed(1)} % found what they meant among the first 20.`,
        `The index takes ${(statSync(path).size / MiB).toFixed(0)} MiB. The plain query is FTS5's own: words as they are, the last by its beginning, ORDER BY rank LIMIT 20; it forgives no typos.`,
      ],
      details: {
        head: ['queries', 'count', 'median ms', 'p95 ms', 'p99 ms'],
        rows: [...byKind].map(([kind, times]) => [
          ...[kind, String(times.length)],
          ...[0.5, 0.95, 0.99].map((share) => percentile(times, share).toFixed(2)),
        ]),
      },
    };
  } finally {
    rmSync(dir, { recursive: true });
  }
});

/** The same catalogue behind the same port, on a server. */
async function openSearchPeer(made: readonly SearchDocument[]) {
  const url = process.env['NEARCAST_TEST_OPENSEARCH_URL']?.replace(/\/+$/, '');
  if (url === undefined || url === '') return undefined;
  const name = `nearcast-bench-${process.pid}`;
  const search = await openSearch(`${url}/${name}`, { clock: createSystemClock() });
  const took = await timed(async () => {
    for (let from = 0; from < made.length; from += batch) await search.put(made.slice(from, from + batch));
  });
  const end = async (): Promise<void> => {
    await search.close();
    await fetch(`${url}/${name}-v*`, { method: 'DELETE' });
  };
  return { search, indexSeconds: took / 1000, end };
}

/** How long it takes, in ms. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

interface Asked {
  readonly text: string;
  readonly rights: readonly string[];
  readonly facets?: readonly string[];
}

async function ask(search: Search, { text, rights, facets = [] }: Asked): Promise<string[]> {
  const filters = { state: ['live'], rights: [...rights, 'children'] };
  return (await search.query({ text, isTyping: true, filters, facets })).hits.map(({ id }) => id);
}

function percentile(times: readonly number[], share: number): number {
  const sorted = times.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
}

function plainIndex(path: string, made: readonly SearchDocument[]): (text: string) => void {
  const file = new Database(path);
  file.exec("CREATE VIRTUAL TABLE words USING fts5(title, people, genres, description, prefix='1 2 3')");
  const insert = file.prepare('INSERT INTO words VALUES (?, ?, ?, ?)');
  file.transaction(() => {
    for (const { texts } of made)
      insert.run(
        ...(['title', 'people', 'genres', 'description'] as const).map(
          (field) => texts[field]?.join(' ') ?? '',
        ),
      );
  })();
  const query = file.prepare('SELECT rowid FROM words WHERE words MATCH ? ORDER BY rank LIMIT 20');
  return (text) => {
    const words = text.split(/\s+/).filter((word) => word !== '');
    query.all(words.map((word, at) => `"${word}"${at === words.length - 1 ? '*' : ''}`).join(' '));
  };
}
