import { networkOf, widthOf, type Address, type Prefix } from './ip-address.ts';

/** What a longest-prefix lookup finds. */
export interface PrefixMatch {
  /** Bits of the longest prefix that holds the address; 0 where none does. */
  readonly prefixLength: number;
  /** Bits of the largest block around the address in which every address has the same answer (RFC 7871 §7.2.1). */
  readonly scopeLength: number;
  /** Index of that prefix in the list that the table was made from; -1 where none holds the address. */
  readonly entry: number;
}

/** A longest-prefix table of one address family. It is never changed: a new one is built and swapped in. */
export interface PrefixTable {
  readonly family: 4 | 6;
  /** How many prefixes it holds. */
  readonly size: number;
  readonly sizeBytes: number;
  /** The longest prefix that holds the address, which must be of the table's family. */
  lookup(address: Address): PrefixMatch;
  /** The next shorter prefix that holds all of this one: an entry, or -1. */
  parentOf(entry: number): number;
  /** Bits of an entry's prefix. */
  lengthOf(entry: number): number;
}

const NONE = -1;
const INDEX_BITS = 16;

/**
 * Builds a table over typed arrays: the address space cut into sorted intervals that each have one longest prefix, and
 * an index by the top 16 bits that leaves a short binary search. The intervals give the right scope for ECS free;
 * parents give every shorter match without a second search. O(n log n) time, no object per prefix is kept.
 *
 * `prefixes` must be of the family and differ from one another.
 */
export function buildPrefixTable(family: 4 | 6, prefixes: readonly Prefix[]): PrefixTable {
  const wordCount = widthOf(family) / 32;
  const lengths = Uint8Array.from(prefixes, (prefix) => prefix.length);
  const { starts, entries, parents } = cut(sortedByNetwork(prefixes), prefixes, wordCount);
  const index = indexOf(starts, wordCount);
  const last = starts.length / wordCount - 1;

  const find = (words: readonly number[]): number => {
    const top = (words[0] ?? 0) >>> INDEX_BITS;
    // The interval that holds the address begins in its own 16-bit block, or is the last to begin before it.
    let low = (index[top] ?? 0) - 1;
    let high = (index[top + 1] ?? 0) - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (compareAt(starts, middle * wordCount, words) <= 0) low = middle;
      else high = middle - 1;
    }
    return low;
  };

  return {
    family,
    size: prefixes.length,
    sizeBytes: [starts, entries, parents, index, lengths].reduce((sum, array) => sum + array.byteLength, 0),
    lookup({ words }) {
      const at = find(words);
      const entry = entries[at] ?? NONE;
      const left = at === 0 ? 0 : scopeToPrevious(words, starts, at * wordCount);
      const right = at === last ? 0 : scopeToNext(words, starts, (at + 1) * wordCount);
      return {
        prefixLength: entry === NONE ? 0 : (lengths[entry] ?? 0),
        scopeLength: left > right ? left : right,
        entry,
      };
    },
    parentOf: (entry) => parents[entry] ?? NONE,
    lengthOf: (entry) => lengths[entry] ?? 0,
  };
}

/** Bits that the block of an address must have so as not to hold the address at `at`: one more than they share. */
function scopeToNext(words: readonly number[], starts: Uint32Array, at: number): number {
  return commonBits(words, (word) => starts[at + word] ?? 0) + 1;
}

/** The same for the address before the one at `at`. */
function scopeToPrevious(words: readonly number[], starts: Uint32Array, at: number): number {
  // One is subtracted with borrow: a word stays unless every word after it is zero.
  let borrowFrom = words.length - 1;
  while (borrowFrom > 0 && starts[at + borrowFrom] === 0) borrowFrom--;
  const previous = (word: number): number => {
    const value = starts[at + word] ?? 0;
    if (word < borrowFrom) return value;
    return word === borrowFrom ? (value - 1) >>> 0 : 0xffffffff;
  };
  return commonBits(words, previous) + 1;
}

function commonBits(words: readonly number[], other: (word: number) => number): number {
  for (let at = 0; at < words.length; at++) {
    const differing = ((words[at] ?? 0) ^ other(at)) >>> 0;
    if (differing !== 0) return at * 32 + Math.clz32(differing);
  }
  return words.length * 32 - 1;
}

function compareAt(starts: Uint32Array, at: number, words: readonly number[]): number {
  for (let word = 0; word < words.length; word++) {
    const a = starts[at + word] ?? 0;
    const b = words[word] ?? 0;
    if (a !== b) return a < b ? -1 : 1;
  }
  return 0;
}

/** Entries in order of network, a shorter prefix before those inside it. */
function sortedByNetwork(prefixes: readonly Prefix[]): Uint32Array {
  const order = Uint32Array.from(prefixes, (_, entry) => entry);
  return order.sort((a, b) => {
    const left = prefixes[a];
    const right = prefixes[b];
    if (left === undefined || right === undefined) return 0;
    return compareWords(left.address.words, right.address.words) || left.length - right.length;
  });
}

function compareWords(a: readonly number[], b: readonly number[]): number {
  for (let at = 0; at < a.length; at++) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Sweeps over the sorted prefixes with a stack of those that are open, writing an interval wherever the answer changes. */
function cut(order: Uint32Array, prefixes: readonly Prefix[], wordCount: number) {
  const starts = new Uint32Array((2 * prefixes.length + 1) * wordCount);
  const entries = new Int32Array(2 * prefixes.length + 1);
  const parents = new Int32Array(prefixes.length).fill(NONE);
  const open: { entry: number; next: readonly number[] | undefined }[] = [];
  let count = 0;

  const begin = (words: readonly number[], entry: number): void => {
    // An interval of no length is overwritten; one with the answer of that before it only makes that one longer.
    if (count > 0 && compareAt(starts, (count - 1) * wordCount, words) === 0) count--;
    if (count > 0 && entries[count - 1] === entry) return;
    starts.set(words, count * wordCount);
    entries[count++] = entry;
  };
  const closeUntil = (words: readonly number[] | undefined): void => {
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      const { next } = top;
      if (words !== undefined && (next === undefined || compareWords(next, words) > 0)) return;
      open.pop();
      if (next !== undefined) begin(next, open.at(-1)?.entry ?? NONE);
    }
  };

  begin(new Array<number>(wordCount).fill(0), NONE);
  for (const entry of order) {
    const prefix = prefixes[entry];
    if (prefix === undefined) continue;
    closeUntil(prefix.address.words);
    parents[entry] = open.at(-1)?.entry ?? NONE;
    begin(prefix.address.words, entry);
    open.push({ entry, next: firstAfter(prefix) });
  }
  closeUntil(undefined);
  return { starts: starts.slice(0, count * wordCount), entries: entries.slice(0, count), parents };
}

/** The first address behind a prefix; undefined where the prefix ends with the address space. */
function firstAfter({ address, length }: Prefix): number[] | undefined {
  const words = [...networkOf(address, length).words];
  // Adding one at bit `length - 1`, with carry.
  for (
    let at = Math.floor((length - 1) / 32), add = 2 ** (31 - ((length - 1) & 31));
    at >= 0;
    at--, add = 1
  ) {
    const sum = (words[at] ?? 0) + add;
    words[at] = sum >>> 0;
    if (sum <= 0xffffffff) return words;
  }
  return undefined;
}

/** For each value of the top 16 bits, how many intervals begin before it. */
function indexOf(starts: Uint32Array, wordCount: number): Uint32Array {
  const index = new Uint32Array(2 ** INDEX_BITS + 1);
  for (let at = 0; at < starts.length; at += wordCount) {
    const next = ((starts[at] ?? 0) >>> INDEX_BITS) + 1;
    index[next] = (index[next] ?? 0) + 1;
  }
  for (let top = 1; top < index.length; top++) index[top] = (index[top] ?? 0) + (index[top - 1] ?? 0);
  return index;
}
