import { hashBlock, uniformOf, type HashPair } from '../../common/core/rendezvous.ts';
import type { ApplianceColumns } from './view.ts';

/** The viewer of a query, or the block of them: hashed where that is needed. May be turned to the next one. */
export class Viewer {
  readonly #columns: ApplianceColumns;
  readonly #hash = { a: 0, b: 0 };
  #words: ArrayLike<number> = [];
  #bits = 0;
  #isHashed = false;

  constructor(columns: ApplianceColumns) {
    this.#columns = columns;
  }

  /** Turns to whoever has these first bits of an address. */
  turnTo(words: ArrayLike<number>, bits: number): void {
    this.#words = words;
    this.#bits = bits;
    this.#isHashed = false;
  }

  hash(): HashPair {
    if (!this.#isHashed) hashBlock(this.#words, this.#bits, this.#hash);
    this.#isHashed = true;
    return this.#hash;
  }

  /** Whether an appliance that keeps this share of its viewers keeps this one: by where among them it stands, for each in another place. */
  isKept(appliance: number, share: number): boolean {
    const { hashA, hashB } = this.#columns;
    return uniformOf(hashB[appliance] ?? 0, hashA[appliance] ?? 0, this.hash()) < share;
  }
}
