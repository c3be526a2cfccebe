import { chunkSizeBytes } from '../../common/core/chunk-tree.ts';

/** A transfer of consecutive chunks under way. */
export interface Running {
  readonly node: string;
  /** The chunk that is being received. */
  readonly next: number;
  /** The last one that it is to bring. */
  readonly last: number;
  /** What it is expected to bring from now on. */
  readonly bytesPerSecond: number;
}

/** Chunks from `first` to the victim's last one change hands; from its `next` on, the victim ends at once. */
export interface TakeOver<T extends Running> {
  readonly victim: T;
  readonly first: number;
}

/** Less is not worth a request. */
const gainSecondsMin = 0.25;
/** Bytes of a chunk in progress are lost when it changes hands: only for much. */
const abandonFactor = 2;
const abandonGainSecondsMin = 1;

/** What a source brings of which nothing is known yet; a guess that a second of its own transfers outweighs. */
const priorBytesPerSecond = 16 * 2 ** 20;
const priorSeconds = 1;
const runChunksMin = 4;
const runChunksMax = 64;

/**
 * What a transfer is expected to bring: what it has brought, in its time, with what was known of its source before as one
 * more second. So a transfer that has just begun is not called slow, and one that stands still soon is.
 */
export function expectedRate(transfer: {
  receivedBytes: number;
  elapsedMs: number;
  known: number | undefined;
}): number {
  const prior = (transfer.known ?? priorBytesPerSecond) * priorSeconds;
  return (transfer.receivedBytes + prior) / (transfer.elapsedMs / 1000 + priorSeconds);
}

/** How many chunks a source is asked for at a time: about a second's worth, so that few of them wait behind a slow one. */
export function runChunks(bytesPerSecond: number | undefined): number {
  const chunks = Math.round((bytesPerSecond ?? priorBytesPerSecond) / chunkSizeBytes);
  return Math.min(runChunksMax, Math.max(runChunksMin, chunks));
}

/**
 * Which chunks a source without work takes from those under way, so that the file is whole soonest: of the transfer that
 * would end last, as many of its last chunks as make both end together. The chunk in progress stays where it is, unless
 * another source would bring all of it in less than half of the time that is left, and a second sooner.
 */
export function planTakeOver<T extends Running>(
  running: readonly T[],
  thief: { node: string; bytesPerSecond: number | undefined },
): TakeOver<T> | undefined {
  let best: { takeOver: TakeOver<T>; gainSeconds: number } | undefined;
  for (const victim of running) {
    const found = fromOne(victim, thief);
    if (found !== undefined && found.gainSeconds > (best?.gainSeconds ?? 0)) best = found;
  }
  return best?.takeOver;
}

function fromOne<T extends Running>(
  victim: T,
  thief: { node: string; bytesPerSecond: number | undefined },
): { takeOver: TakeOver<T>; gainSeconds: number } | undefined {
  const count = victim.last - victim.next + 1;
  if (count < 1) return undefined;
  const theirs = chunkSizeBytes / victim.bytesPerSecond;
  const ours = chunkSizeBytes / (thief.bytesPerSecond ?? victim.bytesPerSecond);
  if (count === 1) {
    if (thief.node === victim.node || thief.bytesPerSecond === undefined) return undefined;
    const isWorth = theirs > abandonFactor * ours && theirs - ours >= abandonGainSecondsMin;
    return isWorth ? { takeOver: { victim, first: victim.next }, gainSeconds: theirs - ours } : undefined;
  }
  const taken = Math.min(count - 1, Math.floor((count * theirs) / (theirs + ours)));
  const gainSeconds = count * theirs - Math.max((count - taken) * theirs, taken * ours);
  if (taken < 1 || gainSeconds < gainSecondsMin) return undefined;
  return { takeOver: { victim, first: victim.last - taken + 1 }, gainSeconds };
}
