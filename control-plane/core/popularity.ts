/**
 * Popularity: bytes served ÷ size, exponentially smoothed over days (algorithms, fill planning step 1).
 *
 * A file's weight at time t is Σ bytesᵢ · 2^(−(t − tᵢ) / halfLife). It is kept as one number at one moment; the order in
 * which servings are added does not matter (but for rounding), so late reports count as if they had come in time.
 */
export interface Weight {
  /** Smoothed bytes at `atMs`. */
  readonly bytes: number;
  /** Unix time in milliseconds. */
  readonly atMs: number;
}

/** Some bytes that were served at some time. */
export interface Serving {
  readonly bytes: number;
  readonly atMs: number;
}

/** After this long a serving counts half. */
export const popularityHalfLifeMs = 3 * 24 * 3_600_000;

/** The weight in bytes as it is at `nowMs`; before `atMs` it is what will have been. */
export function weightBytesAt(
  weight: Weight | undefined,
  nowMs: number,
  halfLifeMs = popularityHalfLifeMs,
): number {
  return weight === undefined ? 0 : weight.bytes * 2 ** (-(nowMs - weight.atMs) / halfLifeMs);
}

/** The weight after one more serving. */
export function addServing(
  weight: Weight | undefined,
  serving: Serving,
  halfLifeMs = popularityHalfLifeMs,
): Weight {
  if (weight === undefined) return { bytes: serving.bytes, atMs: serving.atMs };
  // Brought forward, never back: raising the older of the two to the past's value could overflow.
  const atMs = Math.max(weight.atMs, serving.atMs);
  const bytes = weightBytesAt(weight, atMs, halfLifeMs) + weightBytesAt(serving, atMs, halfLifeMs);
  return { bytes, atMs };
}

/** Popularity of a set of files (a bundle): their smoothed bytes ÷ their size. */
export function popularityOf(
  files: readonly { readonly weight: Weight | undefined; readonly sizeBytes: number }[],
  nowMs: number,
  halfLifeMs = popularityHalfLifeMs,
): number {
  let servedBytes = 0;
  let sizeBytes = 0;
  for (const file of files) {
    servedBytes += weightBytesAt(file.weight, nowMs, halfLifeMs);
    sizeBytes += file.sizeBytes;
  }
  return sizeBytes === 0 ? 0 : servedBytes / sizeBytes;
}
