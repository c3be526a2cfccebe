import type { LRUCache } from 'lru-cache';

import { rowTitlesMax } from '../../../../common/contract/rows.ts';
import { growingCache } from '../../../../common/core/growing-cache.ts';
import { placeOf } from './impression.ts';

/**
 * What was told lately, to know a repetition by: up to `max` ids of events, and beside them as many rows from which one action was told. Rows
 * push out no ids, and one ticket takes no more room for all of its places than for one.
 */
export class ToldLately {
  readonly #ids: LRUCache<string, true>;
  /** Of each row its places: 2 to the power of each, summed, which a number holds exactly up to 2⁵³. */
  readonly #places: LRUCache<string, number>;

  constructor(max: number) {
    this.#ids = growingCache(max);
    this.#places = growingCache(max);
  }

  /** Whether an id was told, or a place of a row. */
  has(key: string): boolean {
    const told = placeOf(key);
    return told === undefined ? this.#ids.has(key) : isIn(this.#places.peek(told.row) ?? 0, told.place);
  }

  /** Remembers an id, or a place of a row; what was remembered longest ago makes room. */
  add(key: string): void {
    const told = placeOf(key);
    if (told === undefined) {
      this.#ids.set(key, true);
      return;
    }
    const places = this.#places.get(told.row) ?? 0;
    // No row is longer: what the log of another version says of such a place cannot be told here.
    if (told.place >= rowTitlesMax || isIn(places, told.place)) return;
    this.#places.set(told.row, places + 2 ** told.place);
  }
}

function isIn(places: number, place: number): boolean {
  return Math.floor(places / 2 ** place) % 2 === 1;
}
