import type { Work } from './work.ts';

/** A title that may stand in a row by itself: a film, or a series as a whole. */
export interface OfferedTitle {
  readonly id: string;
  readonly name: string;
  readonly genres: readonly string[];
  readonly people: readonly string[];
  /** Since when it may be had, Unix milliseconds. */
  readonly sinceMs: number;
}

/** Genres that some titles have together. */
export interface GenreMix {
  readonly genres: readonly number[];
  /** How many titles have these and no others. */
  readonly titles: number;
}

/** All that may be offered, by index, and what is alike about it. */
export interface Catalogue {
  readonly titles: readonly OfferedTitle[];
  readonly indexOf: ReadonlyMap<string, number>;
  /** Genres as they were written first; one that differs in case only is the same. */
  readonly genres: readonly string[];
  /** Of each title the numbers of its genres, in compressed rows. */
  readonly genreOffsets: Uint32Array;
  readonly genreOf: Uint32Array;
  /** Of each title which of the mixes of genres it has: there are far fewer of these than titles. */
  readonly mixOf: Uint32Array;
  readonly mixes: readonly GenreMix[];
  /** Of each genre its titles. */
  readonly titlesOfGenre: readonly Uint32Array[];
  /** Titles by people who made more than one of them. */
  readonly titlesOfPerson: ReadonlyMap<string, Uint32Array>;
}

const titlesPerStep = 2000;

/** Reads titles into a catalogue. */
export function* catalogueOf(titles: readonly OfferedTitle[]): Work<Catalogue> {
  const indexOf = new Map<string, number>();
  const genreNumbers = new Map<string, number>();
  const genres: string[] = [];
  const byGenre: number[][] = [];
  const byPerson = new Map<string, number[]>();
  const genreOffsets = new Uint32Array(titles.length + 1);
  const genreOf: number[] = [];
  const mixes = new Mixes(titles.length);
  for (const [index, title] of titles.entries()) {
    indexOf.set(title.id, index);
    for (const key of new Set(title.genres.map((genre) => genre.toLowerCase()))) {
      const number = genreNumbers.get(key) ?? genres.length;
      if (number === genres.length) {
        genreNumbers.set(key, number);
        genres.push(title.genres.find((genre) => genre.toLowerCase() === key) ?? key);
        byGenre.push([]);
      }
      genreOf.push(number);
      byGenre[number]!.push(index);
    }
    mixes.add(index, genreOf.slice(genreOffsets[index]));
    genreOffsets[index + 1] = genreOf.length;
    for (const person of new Set(title.people)) {
      const known = byPerson.get(person);
      if (known === undefined) byPerson.set(person, [index]);
      else known.push(index);
    }
    if (index % titlesPerStep === 0) yield index / titles.length;
  }
  return {
    ...{ titles, indexOf, genres, genreOffsets, genreOf: Uint32Array.from(genreOf) },
    ...{ mixOf: mixes.of, mixes: mixes.all },
    titlesOfGenre: byGenre.map((of) => Uint32Array.from(of)),
    titlesOfPerson: new Map(
      [...byPerson].flatMap(([person, of]) => (of.length < 2 ? [] : [[person, Uint32Array.from(of)]])),
    ),
  };
}

/** Finds which titles have the same genres. */
class Mixes {
  readonly of: Uint32Array;
  readonly all: { genres: readonly number[]; titles: number }[] = [];
  readonly #numbers = new Map<string, number>();

  constructor(titles: number) {
    this.of = new Uint32Array(titles);
  }

  add(title: number, of: readonly number[]): void {
    const genres = of.toSorted((one, other) => one - other);
    const key = genres.join(' ');
    const number = this.#numbers.get(key) ?? this.all.length;
    this.#numbers.set(key, number);
    const mix = (this.all[number] ??= { genres, titles: 0 });
    mix.titles++;
    this.of[title] = number;
  }
}

/** The numbers of a title's genres: a view. */
export function genresOf({ genreOffsets, genreOf }: Catalogue, title: number): Uint32Array {
  return genreOf.subarray(genreOffsets[title], genreOffsets[title + 1]);
}

/** How much of their genres two titles have in common, 0 to 1 (Jaccard); 0 where one has none. */
export function genreLikeness(catalogue: Catalogue, one: number, other: number): number {
  const { genreOffsets, genreOf, mixOf } = catalogue;
  if (mixOf[one] === mixOf[other]) return genreOffsets[one] === genreOffsets[one + 1] ? 0 : 1;
  const [from, to] = [genreOffsets[one]!, genreOffsets[one + 1]!];
  const [begin, end] = [genreOffsets[other]!, genreOffsets[other + 1]!];
  let both = 0;
  for (let at = from; at < to; at++)
    for (let beside = begin; beside < end; beside++) if (genreOf[at] === genreOf[beside]) both++;
  return both === 0 ? 0 : both / (to - from + end - begin - both);
}
