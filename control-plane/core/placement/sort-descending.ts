// What is below counts for nothing: of a float's bits the sign, the exponent and six more are left, a sixty-fourth at most.
const ignoredBits = 17;
const bucketCount = 2 ** (32 - ignoredBits);

/**
 * Entries in the order of the upper 15 bits of their keys, the largest first; where these are equal they stay in the order in which they come, which
 * is that of the catalog: whoever goes through them waits less for memory. A counting sort of one pass.
 */
export function sortDescending({
  entries,
  keys,
}: {
  readonly entries: Uint32Array;
  readonly keys: Uint32Array;
}): Uint32Array {
  const next = new Uint32Array(bucketCount + 1);
  let first = bucketCount;
  let last = 0;
  for (const key of keys) {
    const bucket = bucketOf(key);
    if (bucket < first) first = bucket;
    if (bucket > last) last = bucket;
    next[bucket + 1] = (next[bucket + 1] ?? 0) + 1;
  }
  // Between these are all: a small catalog is not to pay for every bucket.
  for (let bucket = first + 1; bucket <= last; bucket++)
    next[bucket] = (next[bucket] ?? 0) + (next[bucket - 1] ?? 0);
  const sorted = new Uint32Array(entries.length);
  for (let index = 0; index < keys.length; index++) {
    const bucket = bucketOf(keys[index] ?? 0);
    const at = next[bucket] ?? 0;
    next[bucket] = at + 1;
    sorted[at] = entries[index] ?? 0;
  }
  return sorted;
}

/** The largest keys are in bucket 0. */
function bucketOf(key: number): number {
  return ~key >>> ignoredBits;
}
