/** Ratings with users and items numbered in the order of their first line; no pair of them twice. */
export interface Ratings {
  readonly count: number;
  readonly users: number;
  readonly items: number;
  readonly userOf: Uint32Array;
  readonly itemOf: Uint32Array;
  /** NaN where a file tells of no rating. */
  readonly ratingOf: Float64Array;
  /** Ratings of what the same user had rated before; the latest stands. */
  readonly repeated: number;
}

/** More than this many are refused: a sample tells as much, and maps of names have a bound of their own. */
export const ratingsMax = 16_000_000;

/** Takes ratings one by one, `ratingsMax` at most. */
export class RatingList {
  readonly #users = new Map<string, number>();
  readonly #items = new Map<string, number>();
  #userOf = new Uint32Array(1024);
  #itemOf = new Uint32Array(1024);
  #ratingOf = new Float64Array(1024);
  #timeOf = new Float64Array(1024);
  #count = 0;

  /** Adds a rating; of ratings of the same item by the same user the latest stands, of the same time the last. */
  add(user: string, item: string, { rating, time }: { rating: number; time: number }): void {
    if (this.#count === this.#userOf.length) this.#grow();
    const at = this.#count++;
    this.#userOf[at] = numberOf(this.#users, user);
    this.#itemOf[at] = numberOf(this.#items, item);
    this.#ratingOf[at] = rating;
    this.#timeOf[at] = time;
  }

  /** How many were added. */
  get length(): number {
    return this.#count;
  }

  /** What stands, users one after the other. */
  ratings(): Ratings {
    const kept = this.#latest();
    return {
      count: kept.length,
      users: this.#users.size,
      items: this.#items.size,
      userOf: kept.map((entry) => this.#userOf[entry]!),
      itemOf: kept.map((entry) => this.#itemOf[entry]!),
      ratingOf: Float64Array.from(kept, (entry) => this.#ratingOf[entry]!),
      repeated: this.#count - kept.length,
    };
  }

  #latest(): Uint32Array {
    const entries = Uint32Array.from({ length: this.#count }, (_, entry) => entry);
    // By user, then item, then time; what is the same in all of them stays as it came.
    entries.sort(
      (one, other) =>
        this.#userOf[one]! - this.#userOf[other]! ||
        this.#itemOf[one]! - this.#itemOf[other]! ||
        this.#timeOf[one]! - this.#timeOf[other]! ||
        one - other,
    );
    const isLast = (entry: number, at: number): boolean => {
      const next = entries[at + 1];
      return (
        next === undefined ||
        this.#userOf[next] !== this.#userOf[entry] ||
        this.#itemOf[next] !== this.#itemOf[entry]
      );
    };
    return entries.filter(isLast);
  }

  #grow(): void {
    const length = 2 * this.#count;
    const grown = <T extends Uint32Array | Float64Array>(into: T, from: T): T => (into.set(from), into);
    this.#userOf = grown(new Uint32Array(length), this.#userOf);
    this.#itemOf = grown(new Uint32Array(length), this.#itemOf);
    this.#ratingOf = grown(new Float64Array(length), this.#ratingOf);
    this.#timeOf = grown(new Float64Array(length), this.#timeOf);
  }
}

function numberOf(numbers: Map<string, number>, name: string): number {
  const known = numbers.get(name);
  if (known !== undefined) return known;
  numbers.set(name, numbers.size);
  return numbers.size - 1;
}
