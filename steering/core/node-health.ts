import type { MaintenanceWindow } from '../../common/contract/maintenance.ts';
import { describeMaintenance } from '../../common/core/maintenance.ts';
import type { Family, NodeHealth, Verdict } from './health.ts';
import type { MergedNode } from './quorum.ts';

/** What the answer about a box is made of. */
export interface HealthParts {
  /** Undefined where no view tells of it. */
  readonly merged: MergedNode | undefined;
  readonly maintenance: MaintenanceWindow | undefined;
  /** What was believed before. */
  readonly before: NodeHealth | undefined;
  readonly nowMs: number;
}

/**
 * What is to be believed of a box: up where any family is, draining where it says so or is being maintained, down where all that
 * anybody knows of speaks against it. The time since when changes with what ranking sees, not with the words.
 */
export function nodeHealth(parts: HealthParts): NodeHealth {
  const { merged, maintenance, before, nowMs } = parts;
  const verdict = verdictOf(merged, maintenance !== undefined);
  const downFamilies = verdict === 'down' ? [] : downOf(merged);
  const said = merged?.said;
  const next: NodeHealth = {
    verdict,
    reason: reasonFor(verdict, parts, downFamilies),
    sinceMs: nowMs,
    ...(downFamilies.length > 0 && { downFamilies }),
    ...(said !== undefined && { said: { headroom: said.headroom, unwell: said.unwell } }),
  };
  return before !== undefined && isSame(before, next) ? { ...next, sinceMs: before.sinceMs } : next;
}

/** Whether ranking sees the same of both. */
export function isSame(a: NodeHealth, b: NodeHealth): boolean {
  const [own, other] = [a.downFamilies ?? [], b.downFamilies ?? []];
  return (
    a.verdict === b.verdict && own.length === other.length && own.every((family, at) => family === other[at])
  );
}

/** Whether an answer is the same with both; words and times are for people. */
export function isAnsweredAlike(a: NodeHealth, b: NodeHealth): boolean {
  return isSame(a, b) && a.said?.headroom === b.said?.headroom && a.said?.unwell === b.said?.unwell;
}

/** Whether there is nothing to tell between the two, neither to programs nor to people. */
export function isToldAlike(a: NodeHealth, b: NodeHealth): boolean {
  return isAnsweredAlike(a, b) && a.reason === b.reason && a.sinceMs === b.sinceMs;
}

/** What ranking sees of it in a word or two, for comparing and for its history. */
export function nameOf({ verdict, downFamilies = [] }: NodeHealth): string {
  return [verdict, ...downFamilies.map((family) => `IPv${family} down`)].join(', ');
}

function verdictOf(merged: MergedNode | undefined, isMaintained: boolean): Verdict {
  let isUp = false;
  let isDown = false;
  for (const verdict of merged?.verdicts.values() ?? []) {
    isUp ||= verdict === 'up';
    isDown ||= verdict === 'down';
  }
  if (isDown && !isUp) return 'down';
  if (isMaintained || merged?.draining === true) return 'draining';
  return isUp ? 'up' : 'unknown';
}

function downOf(merged: MergedNode | undefined): Family[] {
  const down: Family[] = [];
  for (const [family, verdict] of merged?.verdicts ?? []) if (verdict === 'down') down.push(family);
  return down;
}

function reasonFor(
  verdict: Verdict,
  { merged, maintenance }: HealthParts,
  downFamilies: readonly Family[],
): string {
  const why = merged?.why === '' ? undefined : merged?.why;
  switch (verdict) {
    case 'down':
      return why ?? 'it does not answer';
    case 'draining':
      return maintenance === undefined ? 'it says that it drains' : describeMaintenance(maintenance);
    case 'up':
      return downFamilies.length === 0 ? 'it answers' : `it answers, but not over ${why ?? 'one family'}`;
    case 'unknown':
      return 'no probe has told anything yet';
  }
}
