import { similarTerms, type SimilarTerm, type Wanted } from '../../core/typos.ts';

const freshMax = 500;

/** Every word that documents hold or have held, to find those that somebody may have meant. */
export class Vocabulary {
  #sorted: string[];
  readonly #known: Set<string>;
  #fresh: string[] = [];

  constructor(terms: Iterable<string>) {
    this.#known = new Set(terms);
    this.#sorted = sorted(this.#known);
  }

  add(term: string): void {
    if (this.#known.has(term)) return;
    this.#known.add(term);
    this.#fresh.push(term);
    if (this.#fresh.length < freshMax) return;
    this.#sorted = sorted(this.#known);
    this.#fresh = [];
  }

  similar(wanted: Wanted): SimilarTerm[] {
    return [...similarTerms(this.#sorted, wanted), ...similarTerms(sorted(this.#fresh), wanted)];
  }
}

/** By code units, as `similarTerms` walks. */
function sorted(terms: Iterable<string>): string[] {
  return [...terms].sort();
}
