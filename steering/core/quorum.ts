import type { FamilyVote, HealthVote, PeerView } from '../../common/contract/health.ts';
import type { Family } from './health.ts';
import { families } from './health.ts';

/** What several steering nodes together make of a box. */
export interface MergedNode {
  /** By family; one in which nobody watches it is left out. */
  readonly verdicts: ReadonlyMap<Family, 'up' | 'down' | 'unknown'>;
  readonly draining: boolean;
  readonly said: HealthVote['said'];
  /** Why it is not up, of those who say so; empty where it is. */
  readonly why: string;
}

export interface Merged {
  readonly nodes: ReadonlyMap<string, MergedNode>;
  /** Every box looked dead, so that any sign of life counts. */
  readonly holding: boolean;
}

/** What a vote of a family is called in a view. */
export function voteOf(vote: Pick<HealthVote, 'v4' | 'v6'>, family: Family): FamilyVote | undefined {
  return family === 4 ? vote.v4 : vote.v6;
}

interface Cast {
  readonly node: string;
  readonly vote: HealthVote;
}

/**
 * Merges the views of steering nodes, one of each: a box is down in a family when more of them see it down than up, so that a
 * tie is up (optimistic, as Traffic Control's quorum). Who is isolated does not count while anybody else is there. Of
 * what boxes say of themselves the latest counts. The same views give the same answer in whatever order they come and
 * whoever merges them; one view alone is a quorum of one.
 */
export function mergeViews(views: readonly PeerView[]): Merged {
  const sorted = [...views].sort((a, b) => (a.node < b.node ? -1 : 1));
  const sighted = sorted.filter(({ isolated }) => !isolated);
  const byBox = new Map<string, Cast[]>();
  for (const { node, votes } of sighted.length > 0 ? sighted : sorted) {
    for (const vote of votes) {
      const casts = byBox.get(vote.id);
      if (casts === undefined) byBox.set(vote.id, [{ node, vote }]);
      else casts.push({ node, vote });
    }
  }
  const holding = isEverybodyDown(byBox.values());
  const ids = [...byBox.keys()].sort();
  return { holding, nodes: new Map(ids.map((id) => [id, mergeBox(byBox.get(id) ?? [], holding)])) };
}

function mergeBox(casts: readonly Cast[], anyLifeCounts: boolean): MergedNode {
  const verdicts = new Map<Family, 'up' | 'down' | 'unknown'>();
  for (const family of families) {
    const verdict = majority(casts, family, anyLifeCounts);
    if (verdict !== undefined) verdicts.set(family, verdict);
  }
  let said: HealthVote['said'];
  for (const { vote } of casts) {
    if (vote.said !== undefined && (said === undefined || vote.said.atMs > said.atMs)) said = vote.said;
  }
  const isDown = [...verdicts.values()].includes('down');
  return {
    verdicts,
    draining: said?.draining ?? casts.some(({ vote }) => vote.draining === true),
    said,
    why: isDown ? reasonsOf(casts) : '',
  };
}

/** Undefined where no one watches the box in this family. */
function majority(
  casts: readonly Cast[],
  family: Family,
  anyLifeCounts: boolean,
): 'up' | 'down' | 'unknown' | undefined {
  const count = { up: 0, down: 0, damped: 0, unknown: 0 };
  for (const { vote } of casts) {
    const cast = voteOf(vote, family);
    if (cast !== undefined) count[cast]++;
  }
  const { up, down, damped, unknown } = count;
  if (up + down + damped + unknown === 0) return undefined;
  if (anyLifeCounts && up + damped > 0) return 'up';
  if (up + down + damped === 0) return 'unknown';
  return down + damped > up ? 'down' : 'up';
}

/** Whether no box is left in either family, although there are boxes. */
function isEverybodyDown(boxes: Iterable<readonly Cast[]>): boolean {
  let some = false;
  for (const casts of boxes) {
    some = true;
    if (families.some((family) => !['down', undefined].includes(majority(casts, family, false))))
      return false;
  }
  return some;
}

/** "a: …" of one node alone is just its reason; of several, how many say what. */
function reasonsOf(casts: readonly Cast[]): string {
  const against = casts.filter(({ vote }) => vote.why !== undefined);
  const texts = [...new Set(against.map(({ vote }) => vote.why ?? ''))].slice(0, 3).join('; ');
  if (casts.length === 1) return texts;
  return `${against.length} of ${casts.length} steering nodes: ${texts}`;
}
