const digitBits = 11;
const digitMask = (1 << digitBits) - 1;

interface Keyed {
  readonly entries: Uint32Array;
  readonly keys: Uint32Array;
}

// What is below counts for nothing: of a float's bits the sign, the exponent and 13 more are left, a hundredth of a percent.
const ignoredBits = 10;

/**
 * Entries in the order of the upper 22 bits of their keys, the largest first; where these are equal they stay in the order in which they come.
 * A radix sort of two passes: a million in some 20 ms. What is given is used as scratch.
 */
export function sortDescending(given: Keyed): Uint32Array {
  const { length } = given.entries;
  const between: Keyed = { entries: new Uint32Array(length), keys: new Uint32Array(length) };
  scatter(given, between, ignoredBits);
  scatter(between, given, ignoredBits + digitBits);
  return given.entries;
}

function scatter(from: Keyed, to: Keyed, shift: number): void {
  const { entries, keys } = from;
  const next = new Uint32Array(digitMask + 2);
  for (const key of keys) {
    const after = ((~key >>> shift) & digitMask) + 1;
    next[after] = (next[after] ?? 0) + 1;
  }
  for (let digit = 1; digit < next.length; digit++) next[digit] = (next[digit] ?? 0) + (next[digit - 1] ?? 0);
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index] ?? 0;
    const digit = (~key >>> shift) & digitMask;
    const at = next[digit] ?? 0;
    next[digit] = at + 1;
    to.keys[at] = key;
    to.entries[at] = entries[index] ?? 0;
  }
}
