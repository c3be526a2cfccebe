import type { SearchDocument, SearchQuery } from './port.ts';

/** Passes over what a query's filters leave out. */
export type Filter = (number: number) => boolean;

/** What a filter asks of one facet. */
interface Wanted {
  readonly column: readonly (number | Uint32Array | undefined)[];
  readonly ids: ReadonlySet<number>;
  readonly documents: number;
}

/**
 * What is kept in memory of each document, by its number: what ranking, filters and counts ask of thousands of them for one
 * query, for which a look into the file each would take too long.
 */
export class Columns {
  #weights = new Float64Array(1024);
  #lengths = new Uint16Array(1024);
  /** By facet, then document: the number of its value, or of each of several. */
  readonly #facets = new Map<string, (number | Uint32Array | undefined)[]>();
  readonly #held: boolean[] = [];
  readonly #values = new Map<string, Map<string, number>>();
  /** How many documents have each value, by the value's number. */
  readonly #documents: number[] = [];
  count = 0;
  #wordsOfAll = 0;

  /** How much a document counts by its popularity. */
  weight(number: number): number {
    return this.#weights[number] ?? 0;
  }

  /** How many words a document has. */
  length(number: number): number {
    return this.#lengths[number] ?? 0;
  }

  /** How many it has in the mean. */
  get meanLength(): number {
    return this.#wordsOfAll / Math.max(1, this.count);
  }

  put(number: number, row: { weight: number; words: number; facets: SearchDocument['facets'] }): void {
    this.remove(number);
    this.#reserve(number);
    this.#weights[number] = row.weight;
    this.#lengths[number] = row.words;
    for (const [name, values] of Object.entries(row.facets)) {
      const ids = [...new Set(values)].map((value) => this.#idOf(name, value));
      const [only, ...more] = ids;
      if (only === undefined) continue;
      this.#column(name)[number] = more.length === 0 ? only : Uint32Array.from(ids);
      for (const id of ids) this.#documents[id] = (this.#documents[id] ?? 0) + 1;
    }
    this.#held[number] = true;
    this.#wordsOfAll += row.words;
    this.count++;
  }

  remove(number: number): void {
    if (this.#held[number] !== true) return;
    for (const column of this.#facets.values()) {
      for (const id of idsOf(column[number])) this.#documents[id] = (this.#documents[id] ?? 0) - 1;
      column[number] = undefined;
    }
    this.#held[number] = false;
    this.#wordsOfAll -= this.length(number);
    this.count--;
  }

  /** What a query's filters let through: of each facet one of the values. */
  filter(filters: NonNullable<SearchQuery['filters']>): Filter {
    const wanted = this.#wanted(filters);
    if (wanted.length === 0) return () => true;
    return (number) => wanted.every(({ column, ids }) => hasOne(column[number], ids));
  }

  /**
   * The documents that a query's filters let through, in no order, where they are `most` at most by what is counted of the values;
   * undefined where they may be more.
   */
  few(filters: NonNullable<SearchQuery['filters']>, most: number): number[] | undefined {
    const [rarest] = this.#wanted(filters);
    if (rarest === undefined || rarest.documents > most) return undefined;
    const passes = this.filter(filters);
    const found: number[] = [];
    const { column } = rarest;
    // By its places: an iterator takes five times as long over a hundred thousand.
    for (let number = 0; number < column.length; number++)
      if (column[number] !== undefined && passes(number)) found.push(number);
    return found;
  }

  /** What filters ask for, first what the fewest documents have. */
  #wanted(filters: NonNullable<SearchQuery['filters']>): Wanted[] {
    const wanted = Object.entries(filters).map(([name, values]) => {
      const ids = new Set(values.flatMap((value) => this.#values.get(name)?.get(value) ?? []));
      const documents = [...ids].reduce((sum, id) => sum + (this.#documents[id] ?? 0), 0);
      return { column: this.#column(name), ids, documents };
    });
    return wanted.sort((one, other) => one.documents - other.documents);
  }

  /** How many of the documents have each value of some facets, of each the most frequent values first. */
  counts(
    numbers: readonly number[],
    names: readonly string[],
    limit: number,
  ): Record<string, Record<string, number>> {
    const counts = new Uint32Array(names.length === 0 ? 0 : this.#documents.length);
    const countsOf = (name: string): [value: string, count: number][] => {
      const column = this.#column(name);
      for (const number of numbers)
        for (const id of idsOf(column[number])) counts[id] = (counts[id] ?? 0) + 1;
      return [...(this.#values.get(name) ?? [])]
        .map(([value, id]): [string, number] => [value, counts[id] ?? 0])
        .filter(([, count]) => count > 0)
        .sort(([one, few], [other, many]) => many - few || (one < other ? -1 : 1))
        .slice(0, limit);
    };
    return Object.fromEntries(names.map((name) => [name, Object.fromEntries(countsOf(name))]));
  }

  /** The documents that count most, the first of them first; of equal ones those that came first. */
  heaviest(numbers: Iterable<number>, limit: number): number[] {
    const best: number[] = [];
    for (const number of numbers) {
      const weight = this.weight(number);
      if (best.length === limit && weight <= this.weight(best.at(-1) ?? 0)) continue;
      let at = best.length;
      while (at > 0 && this.weight(best[at - 1] ?? 0) < weight) at--;
      best.splice(at, 0, number);
      if (best.length > limit) best.pop();
    }
    return best;
  }

  #column(name: string): (number | Uint32Array | undefined)[] {
    let column = this.#facets.get(name);
    if (column === undefined) this.#facets.set(name, (column = []));
    return column;
  }

  #idOf(name: string, value: string): number {
    let values = this.#values.get(name);
    if (values === undefined) this.#values.set(name, (values = new Map<string, number>()));
    let id = values.get(value);
    if (id === undefined) values.set(value, (id = this.#documents.push(0) - 1));
    return id;
  }

  #reserve(number: number): void {
    if (number < this.#weights.length) return;
    const size = Math.max(number + 1, 2 * this.#weights.length);
    const [weights, lengths] = [new Float64Array(size), new Uint16Array(size)];
    weights.set(this.#weights);
    lengths.set(this.#lengths);
    [this.#weights, this.#lengths] = [weights, lengths];
  }
}

const none = new Uint32Array(0);

function idsOf(value: number | Uint32Array | undefined): Iterable<number> {
  return value === undefined ? none : typeof value === 'number' ? [value] : value;
}

function hasOne(value: number | Uint32Array | undefined, ids: ReadonlySet<number>): boolean {
  if (value === undefined || typeof value === 'number') return value !== undefined && ids.has(value);
  return value.some((id) => ids.has(id));
}
