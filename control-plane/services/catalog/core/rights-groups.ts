import { createHash } from 'node:crypto';
import { maySee, nextBoundMs, opensAtMs, type Licensed, type Limits } from '../../../core/rights.ts';

/** Titles whose rights are told by the very same are one group: who may have one of them may have all. */
export interface RightsGroup {
  readonly key: string;
  readonly licensed: readonly Licensed[];
}

/** The group of a title, by what it and all that it is part of are licensed for, itself first. The same on every machine. */
export function groupOf(titles: readonly Licensed[]): RightsGroup {
  const licensed = titles.map(({ release, maturity }) => ({ release, maturity }));
  const hash = createHash('sha256').update(JSON.stringify(licensed)).digest('base64url');
  return { key: hash.slice(0, 16), licensed };
}

/** The groups that a viewer may have at a time, and until when that is so: the first opening or closing of a window. */
export function allowedGroups(
  groups: Iterable<RightsGroup>,
  limits: Limits,
  nowMs: number,
): { keys: string[]; untilMs: number } {
  const keys: string[] = [];
  let untilMs = Infinity;
  for (const { key, licensed } of groups) {
    if (maySee(licensed, limits, nowMs)) keys.push(key);
    for (const { release } of licensed) untilMs = Math.min(untilMs, nextBoundMs(release, nowMs));
  }
  return { keys, untilMs };
}

/**
 * The keys of at most so many groups: where there are more, those that are open somewhere, then those that open soonest; what is over
 * comes last.
 */
export function soonestGroups(
  groups: readonly RightsGroup[],
  { max, nowMs }: { max: number; nowMs: number },
): string[] {
  const byKey = new Map(groups.map((group) => [group.key, group]));
  if (byKey.size <= max) return [...byKey.keys()];
  const opening = [...byKey.values()].map(({ key, licensed }) => ({
    key,
    atMs: Math.max(...licensed.map(({ release }) => opensAtMs(release, nowMs))),
  }));
  // Infinities have no difference.
  const sorted = opening.sort((one, other) => (one.atMs === other.atMs ? 0 : one.atMs - other.atMs));
  return sorted.slice(0, max).map(({ key }) => key);
}
