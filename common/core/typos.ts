/** How many typos a word may have: none in short ones, where they make another word. */
export function typosAllowed(word: string): number {
  if (word.length <= 4) return 0;
  return word.length <= 8 ? 1 : 2;
}

/** What a term is compared with. */
export interface Wanted {
  readonly word: string;
  /** Whether the word is not written to its end: what a term goes on with is no typo. */
  readonly isBeginning: boolean;
  readonly most: number;
}

export interface SimilarTerm {
  readonly term: string;
  readonly typos: number;
}

/**
 * The terms that are a word but for some typos: letters left out, added, changed, or two neighbours in each other's place
 * (Damerau and Levenshtein's distance, each place edited once). A typo in the first letter counts double.
 *
 * Walks through sorted terms and keeps the rows of the distance for what a term shares with the one before; what no longer can come
 * near is leapt over.
 *
 * @param terms sorted by their code units, each once
 */
export function similarTerms(terms: readonly string[], wanted: Wanted): SimilarTerm[] {
  const { word, isBeginning, most } = wanted;
  const distance = new Distance(word, most);
  const found: SimilarTerm[] = [];
  for (let at = 0; at < terms.length;) {
    const term = terms[at] ?? '';
    const isFar = !distance.read(term);
    const typos = isBeginning ? distance.least() : isFar ? Infinity : distance.whole();
    if (typos <= most) found.push({ term, typos });
    // A beginning that has come near stays near, whatever a term goes on with.
    at = isFar && typos > most ? leap(terms, at, term.slice(0, distance.depth)) : at + 1;
  }
  return found;
}

/** The table of the distance between a word and one term after the other: a row for each letter of the term. */
class Distance {
  readonly #word: string;
  readonly #most: number;
  readonly #width: number;
  #rows: Uint8Array;
  #term = '';
  /** Letters of the term that were read. */
  depth = 0;

  constructor(word: string, most: number) {
    this.#word = word;
    this.#most = most;
    this.#width = word.length + 1;
    this.#rows = new Uint8Array(this.#width * 32);
    for (let place = 1; place <= word.length; place++) this.#rows[place] = Math.min(far, place + 1);
  }

  /** Reads a term on from where it is another than the one before; false where it was left because it cannot come near. */
  read(term: string): boolean {
    const end = Math.min(this.depth, term.length);
    let depth = 0;
    while (depth < end && term[depth] === this.#term[depth]) depth++;
    this.depth = depth;
    this.#term = term;
    let isNear = depth === 0 || this.#nearest(depth) <= this.#most;
    while (this.depth < term.length && isNear) isNear = this.#readLetter() <= this.#most;
    return isNear;
  }

  /** Typos of the term as a whole, once it was read to its end. */
  whole(): number {
    return this.#rows[this.depth * this.#width + this.#width - 1] ?? far;
  }

  /** Typos of that beginning of the term which has the fewest. */
  least(): number {
    let least = far;
    for (let row = 0; row <= this.depth; row++)
      least = Math.min(least, this.#rows[row * this.#width + this.#width - 1] ?? far);
    return least;
  }

  #nearest(row: number): number {
    let nearest = far;
    for (let at = row * this.#width; at < (row + 1) * this.#width; at++)
      nearest = Math.min(nearest, this.#rows[at] ?? far);
    return nearest;
  }

  /** Adds the row of the next letter and gives the least in it. */
  #readLetter(): number {
    const length = ++this.depth;
    const width = this.#width;
    if (this.#rows.length < (length + 1) * width) {
      const longer = new Uint8Array(2 * this.#rows.length);
      longer.set(this.#rows);
      this.#rows = longer;
    }
    const [rows, word, term] = [this.#rows, this.#word, this.#term];
    const row = length * width;
    const letter = term[length - 1];
    rows[row] = Math.min(far, length + 1);
    let nearest = rows[row] ?? far;
    for (let place = 1; place < width; place++) {
      const change = letter === word[place - 1] ? 0 : length === 1 && place === 1 ? 2 : 1;
      const above = row - width + place;
      let typos = Math.min(
        (rows[above - 1] ?? far) + change,
        (rows[above] ?? far) + 1,
        (rows[row + place - 1] ?? far) + 1,
      );
      if (length > 1 && place > 1 && letter === word[place - 2] && term[length - 2] === word[place - 1])
        typos = Math.min(typos, (rows[above - width - 2] ?? far) + (length === 2 && place === 2 ? 2 : 1));
      rows[row + place] = typos = Math.min(far, typos);
      if (typos < nearest) nearest = typos;
    }
    return nearest;
  }
}

/** More typos than anybody allows, and little enough that one more is still a byte. */
const far = 200;

/** The first term behind `at` that does not begin so. */
function leap(terms: readonly string[], at: number, beginning: string): number {
  let low = at;
  let high = terms.length;
  while (low + 1 < high) {
    const middle = (low + high) >> 1;
    if (terms[middle]?.startsWith(beginning) === true) low = middle;
    else high = middle;
  }
  return high;
}
