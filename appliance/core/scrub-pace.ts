const monthMs = 30 * 86_400_000;
/** What may be caught up with at a time, after a pause. */
const allowedBytesMax = 64 * 2 ** 20;

/** What scrubbing may read: earned as time passes, spent as chunks are read. */
export interface ScrubAllowance {
  readonly bytes: number;
  /** Monotonic. */
  readonly atMs: number;
}

/** The allowance some time later: `budgetBytes` in 30 days or, without it, what is held, once. */
export function earnScrub(
  before: ScrubAllowance,
  now: { atMs: number; heldBytes: number; budgetBytes: number | undefined },
): ScrubAllowance {
  const monthlyBytes = now.budgetBytes ?? now.heldBytes;
  const earned = (monthlyBytes * (now.atMs - before.atMs)) / monthMs;
  return { bytes: Math.min(allowedBytesMax, before.bytes + earned), atMs: now.atMs };
}

/** In how many milliseconds so many bytes may be read; Infinity where nothing is held or nothing may be. */
export function scrubWaitMs(
  allowance: ScrubAllowance,
  want: { bytes: number; heldBytes: number; budgetBytes: number | undefined },
): number {
  const monthlyBytes = want.budgetBytes ?? want.heldBytes;
  const missingBytes = Math.max(0, want.bytes - allowance.bytes);
  return missingBytes === 0 ? 0 : (missingBytes * monthMs) / monthlyBytes;
}
