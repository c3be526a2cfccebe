// `./dev bench search`: as-you-type queries on a large made-up catalogue, beside a plain FTS5 query of the same words.
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import Database from 'better-sqlite3';

import { openSearch } from '../../common/adapters/search/open.ts';
import type { Search, SearchDocument } from '../../common/adapters/search/port.ts';
import { lessIsBetter, runBench } from '../support/bench.ts';
import { pick, seededRandom } from '../support/seeded.ts';

const batch = 1000;
const MiB = 2 ** 20;
/** Groups of rights, of a catalogue where a hundred contracts say who may see what. */
const groups = Array.from({ length: 100 }, (_, at) => `group ${at}`);

await runBench('search', async ({ quick }) => {
  const titles = quick ? 10_000 : 100_000;
  const queries = quick ? 500 : 5000;
  const dir = mkdtempSync(join(tmpdir(), 'nearcast-bench-'));
  try {
    const made = catalogue(titles);
    const path = join(dir, 'search.db');
    const search = await openSearch(`sqlite://${path}`);
    const begun = performance.now();
    for (let from = 0; from < titles; from += batch) await search.put(made.slice(from, from + batch));
    const indexSeconds = (performance.now() - begun) / 1000;
    const plain = plainIndex(join(dir, 'plain.db'), made);
    const asked = typed(made, queries);
    const ours: number[] = [];
    const theirs: number[] = [];
    const byKind = new Map<string, number[]>();
    let foundFirst = 0;
    const withFacets: number[] = [];
    for (const [at, { text, kind: sort, id }] of asked.entries()) {
      // Of every ten viewers one has a profile for which next to nothing is fit.
      const isLimited = at % 10 === 9;
      const kind = isLimited ? 'of a limited profile' : sort;
      const started = performance.now();
      const hits = await ask(search, { text, rights: isLimited ? ['children'] : groups });
      const middle = performance.now();
      plain(text);
      theirs.push(performance.now() - middle);
      ours.push(middle - started);
      byKind.set(kind, [...(byKind.get(kind) ?? []), middle - started]);
      if (hits.includes(id)) foundFirst++;
      if (at % 10 !== 0) continue;
      const before = performance.now();
      await ask(search, { text, rights: groups, facets: ['kind', 'genre', 'year', 'maturity'] });
      withFacets.push(performance.now() - before);
    }
    await search.close();
    const limit = { peer: 'limit', goal: 1 };
    return {
      figures: [
        lessIsBetter({ ...limit, name: 'search.p95', ours: percentile(ours, 0.95), theirs: 15, unit: 'ms' }),
        lessIsBetter({
          ...{ name: 'search.p95.fts5', ours: percentile(ours, 0.95), theirs: percentile(theirs, 0.95) },
          ...{ peer: 'plain FTS5', unit: 'ms', goal: 0.5 },
        }),
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

/** Words that can be said, the first ones used most. */
function lexicon(random: () => number, count: number): string[] {
  const beginnings = [
    'b',
    'br',
    'c',
    'ch',
    'd',
    'f',
    'gr',
    'h',
    'j',
    'k',
    'l',
    'm',
    'n',
    'p',
    'r',
    's',
    'st',
    't',
    'tr',
    'v',
    'w',
  ];
  const middles = ['a', 'e', 'i', 'o', 'u', 'ai', 'ea', 'ou'];
  const ends = ['', 'n', 'r', 's', 't', 'l', 'nd', 'ck', 'm'];
  const words = new Set<string>();
  while (words.size < count) {
    let word = '';
    const syllables = 1 + pick(random, 4);
    for (let at = 0; at < syllables; at++)
      word +=
        beginnings[pick(random, beginnings.length)]! +
        middles[pick(random, middles.length)]! +
        (at === syllables - 1 ? ends[pick(random, ends.length)]! : '');
    words.add(word);
  }
  return [...words].sort((one, other) => one.length - other.length);
}

function catalogue(titles: number): SearchDocument[] {
  const random = seededRandom(2026);
  const words = lexicon(random, 30_000);
  const people = Array.from(
    { length: 20_000 },
    () => `${words[pick(random, 3000)]!} ${words[pick(random, 30_000)]!}`,
  );
  const word = (): string => words[Math.floor(random() ** 3 * words.length)]!;
  const some = (least: number, most: number, make: () => string): string[] =>
    Array.from({ length: least + pick(random, most - least + 1) }, make);
  return Array.from({ length: titles }, (_, at) => {
    const genres = some(1, 3, () => `genre ${pick(random, 25)}`);
    const cast = some(2, 8, () => people[Math.floor(random() ** 2 * people.length)]!);
    return {
      id: `title-${at}`,
      texts: {
        title: [some(1, 5, word).join(' ')],
        people: cast,
        genres,
        description: [some(20, 60, word).join(' ')],
      },
      facets: {
        ...{ state: ['live'], kind: ['movie'], genre: genres, person: cast },
        year: [String(1920 + pick(random, 100))],
        maturity: [String([0, 6, 12, 16, 18][pick(random, 5)]!)],
        rights: [at % 1000 === 0 ? 'children' : groups[pick(random, groups.length)]!],
      },
      popularity: Math.floor(1000 * random() ** 8),
    };
  });
}

/** What people type on their way to a title: its beginning, the whole, the whole with one letter wrong. */
function typed(made: readonly SearchDocument[], count: number) {
  const random = seededRandom(7);
  return Array.from({ length: count }, (_, at) => {
    const { id, texts } = made[pick(random, made.length)]!;
    const name = texts.title?.[0] ?? '';
    const whole = `${name} ${texts.people?.[0] ?? ''}`;
    if (at % 3 === 0) return { id, kind: 'beginning', text: name.slice(0, 1 + pick(random, 8)) };
    if (at % 3 === 1) return { id, kind: 'name and person', text: whole };
    const place = 1 + pick(random, whole.length - 1);
    return { id, kind: 'with a typo', text: whole.slice(0, place) + whole.slice(place + 1) };
  });
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
