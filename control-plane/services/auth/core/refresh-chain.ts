/** A token that was just replaced is taken for so long, in milliseconds: the reply may have been lost, or two calls have met. */
export const refreshGraceMs = 10_000;

/** How far a chain of refresh tokens has come: the highest number given out, and since when. */
export interface RefreshChain {
  head: number;
  sinceMs: number;
}

/**
 * Whether the token with this number of its chain may be used: the newest, or its immediate predecessor within the grace. Anything
 * older was stolen or lost long ago, and the chain has to end (RFC 9700 §4.14.2).
 */
export function judgeRefresh(
  chain: RefreshChain | undefined,
  { number, nowMs }: { number: number; nowMs: number },
): 'good' | 'reused' {
  if (chain === undefined) return 'reused';
  if (number >= chain.head) return 'good';
  // Either way: a clock that was set back a little has not made a thief of anybody.
  const isInGrace = Math.abs(nowMs - chain.sinceMs) <= refreshGraceMs;
  return number === chain.head - 1 && isInGrace ? 'good' : 'reused';
}

/** The chain once a token with this number was given out. */
export function extendChain(
  chain: RefreshChain | undefined,
  { number, nowMs }: { number: number; nowMs: number },
): RefreshChain {
  return chain !== undefined && number <= chain.head ? chain : { head: number, sinceMs: nowMs };
}
