import type { SearchDocument } from '../../../common/adapters/search/port.ts';
import { pick, seededRandom } from '../../support/seeded.ts';

/** Groups of rights, of a catalogue where a hundred contracts say who may see what. */
export const groups = Array.from({ length: 100 }, (_, at) => `group ${at}`);

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

/** A made-up catalogue, the same each time. */
export function catalogue(titles: number): SearchDocument[] {
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
export function typed(made: readonly SearchDocument[], count: number) {
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
