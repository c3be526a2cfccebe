/** What is known of a disk's health: how long it took to answer, and which reads failed. */
export interface DiskHealth {
  /** Answers in a row that took long. */
  readonly slowAnswers: number;
  /** When reads failed lately (monotonic ms), oldest first. */
  readonly failedReadsMs: readonly number[];
}

export const healthy: DiskHealth = { slowAnswers: 0, failedReadsMs: [] };

/** So many slow answers in a row are no burst of work any more. */
const slowAnswersMax = 8;
/** One bad sector is no bad disk: its file is fetched again. So many files within so long are. */
const failedReadsMax = 3;
const failedReadsWithinMs = 3_600_000;

/** Takes an answer that took so long; slow is a quarter of the time after which a disk counts as hung. */
export function noteAnswer(health: DiskHealth, tookMs: number, hungMs: number): DiskHealth {
  return { ...health, slowAnswers: tookMs > hungMs / 4 ? health.slowAnswers + 1 : 0 };
}

/** Takes a read that the disk failed, each of another file. */
export function noteFailedRead(health: DiskHealth, nowMs: number): DiskHealth {
  const lately = health.failedReadsMs.filter((atMs) => nowMs - atMs < failedReadsWithinMs);
  return { ...health, failedReadsMs: [...lately, nowMs].slice(-failedReadsMax) };
}

/** Why the disk is not to be used any longer; undefined while it may be. */
export function judgeDisk(health: DiskHealth): 'DISK_SLOW' | 'DISK_FAILED' | undefined {
  if (health.failedReadsMs.length >= failedReadsMax) return 'DISK_FAILED';
  return health.slowAnswers >= slowAnswersMax ? 'DISK_SLOW' : undefined;
}
