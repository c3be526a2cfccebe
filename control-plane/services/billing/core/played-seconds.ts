/**
 * Seconds in which something was played, as a set: whoever tells of one twice, late or in another order adds nothing. By the clock of who plays,
 * so that its parts need not agree with ours; whole seconds, so that what joins on is one range.
 */
export interface PlayedSeconds {
  /** Apart from one another, the earliest first; what a range ends with is not in it. */
  readonly ranges: readonly (readonly [fromS: number, toS: number])[];
  /** So many seconds lie before `floorS`: which they are is forgotten, and nothing is added there. */
  readonly folded: number;
  readonly floorS: number;
}

/** So many ranges are known one by one: a pause makes one. */
export const rangesMax = 256;

export const nothingPlayed: PlayedSeconds = { ranges: [], folded: 0, floorS: 0 };

/** How many seconds there are. */
export function secondsOf({ ranges, folded }: PlayedSeconds): number {
  return ranges.reduce((sum, [fromS, toS]) => sum + toS - fromS, folded);
}

/** Both together; of more ranges than may be, the earliest are folded, so that what is told of their time later does not count. */
export function addPlayed(
  { ranges, folded, floorS }: PlayedSeconds,
  { untilMs, playedMs }: { untilMs: number; playedMs: number },
): PlayedSeconds {
  let from = Math.max(floorS, Math.round((untilMs - playedMs) / 1000));
  let to = Math.round(untilMs / 1000);
  if (to <= from) return { ranges, folded, floorS };
  const apart: (readonly [number, number])[] = [];
  for (const range of ranges) {
    if (range[1] < from || range[0] > to) apart.push(range);
    else [from, to] = [Math.min(from, range[0]), Math.max(to, range[1])];
  }
  const all = [...apart, [from, to] as const].sort(([one], [other]) => one - other);
  const [first] = all;
  if (all.length <= rangesMax || first === undefined) return { ranges: all, folded, floorS };
  return { ranges: all.slice(1), folded: folded + first[1] - first[0], floorS: first[1] };
}
