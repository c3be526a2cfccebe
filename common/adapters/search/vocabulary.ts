import { similarTerms, type SimilarTerm, type Wanted } from '../../core/typos.ts';

const freshMax = 500;

/** The words of all documents, and in how many each stands: to find those that somebody may have meant, and how rare they are. */
export class Vocabulary {
  #sorted: string[];
  readonly #documents: Map<string, number>;
  #fresh: string[] = [];

  constructor(terms: Iterable<readonly [term: string, documents: number]>) {
    this.#documents = new Map(terms);
    this.#sorted = sorted(this.#documents.keys());
  }

  /** Notes the words of one document more, or of one less. */
  note(words: Iterable<string>, change: 1 | -1): void {
    for (const word of words) {
      const before = this.#documents.get(word);
      this.#documents.set(word, Math.max(0, (before ?? 0) + change));
      if (before === undefined) this.#fresh.push(word);
    }
    if (this.#fresh.length < freshMax) return;
    this.#sorted = sorted(this.#documents.keys());
    this.#fresh = [];
  }

  /** In how many documents a word stands. */
  documents(word: string): number {
    return this.#documents.get(word) ?? 0;
  }

  /** In how many documents words stand that begin so; one that has two of them counts twice. */
  documentsFrom(beginning: string): number {
    let found = 0;
    for (let at = placeOf(this.#sorted, beginning); this.#sorted[at]?.startsWith(beginning) === true; at++)
      found += this.documents(this.#sorted[at] ?? '');
    for (const word of this.#fresh) if (word.startsWith(beginning)) found += this.documents(word);
    return found;
  }

  /** Words that stand somewhere and are the one that is wanted but for some typos. */
  similar(wanted: Wanted): SimilarTerm[] {
    return [...similarTerms(this.#sorted, wanted), ...similarTerms(sorted(this.#fresh), wanted)].filter(
      ({ term }) => this.documents(term) > 0,
    );
  }
}

/** By code units, as `similarTerms` walks. */
function sorted(terms: Iterable<string>): string[] {
  return [...terms].sort();
}

/** The place of the first that is not before a text. */
function placeOf(terms: readonly string[], text: string): number {
  let [low, high] = [0, terms.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((terms[middle] ?? '') < text) low = middle + 1;
    else high = middle;
  }
  return low;
}
