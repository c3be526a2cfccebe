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

/** What was voted of a box. */
interface Ballot {
  readonly id: string;
  /** Of each voter, in the order of their names. */
  readonly votes: (HealthVote | undefined)[];
  /** The turn in which each voter voted last. */
  readonly turns: number[];
  /** Whether it is down by majority in every family. */
  isDown: boolean;
}

/**
 * Merges the views of steering nodes, one of each: a box is down in a family when more of them see it down than up, so that a
 * tie is up (optimistic, as Traffic Control's quorum). Who is isolated does not count while anybody else is there. Of
 * what boxes say of themselves the latest counts. The same views give the same answer in whatever order they come and
 * whoever merges them; one view alone is a quorum of one.
 */
export function mergeViews(views: readonly PeerView[]): Merged {
  return new Quorum().merge(views);
}

/**
 * Merges views as `mergeViews` does, time after time: only boxes of which somebody votes otherwise than before are judged anew. What it answers is as
 * if it had known nothing before.
 */
export class Quorum {
  /** The votes that were taken last, and of how many boxes, of each voter by its place: who comes in the place of another takes its votes back. */
  #taken: { votes: PeerView['votes'] | undefined; count: number }[] = [];
  #ballots = new Map<string, Ballot>();
  #nodes = new Map<string, MergedNode>();
  readonly #stale = new Set<Ballot>();
  #turn = 0;
  #down = 0;
  #holding = false;

  /** @returns what is true until the next call; what was made of a box is the same object for as long as the votes for it are. */
  merge(views: readonly PeerView[]): Merged {
    const sorted = [...views].sort((a, b) => (a.node < b.node ? -1 : 1));
    const sighted = sorted.filter(({ isolated }) => !isolated);
    const counted = sighted.length > 0 ? sighted : sorted;
    if (counted.length !== this.#taken.length) this.#beginWith(counted.length);
    for (const [voter, { votes }] of counted.entries()) this.#take(voter, votes);
    this.#count();
    return { nodes: this.#nodes, holding: this.#holding };
  }

  #beginWith(voters: number): void {
    this.#taken = Array.from({ length: voters }, () => ({ votes: undefined, count: 0 }));
    this.#ballots = new Map();
    this.#nodes = new Map();
    this.#down = 0;
    this.#holding = false;
  }

  #take(voter: number, votes: PeerView['votes']): void {
    const taken = this.#taken[voter];
    if (taken === undefined || taken.votes === votes) return;
    const turn = ++this.#turn;
    let count = 0;
    let left = taken.count;
    for (const vote of votes) {
      const ballot = this.#ballotOf(vote.id);
      if (ballot.turns[voter] !== turn) {
        count++;
        if (ballot.votes[voter] !== undefined) left--;
      }
      ballot.turns[voter] = turn;
      if (ballot.votes[voter] === vote) continue;
      ballot.votes[voter] = vote;
      this.#stale.add(ballot);
    }
    if (left > 0) this.#withdraw(voter, turn);
    this.#taken[voter] = { votes, count };
  }

  /** Takes back what a voter has voted before this turn. */
  #withdraw(voter: number, turn: number): void {
    for (const ballot of this.#ballots.values()) {
      if (ballot.votes[voter] === undefined || ballot.turns[voter] === turn) continue;
      ballot.votes[voter] = undefined;
      this.#stale.add(ballot);
    }
  }

  #ballotOf(id: string): Ballot {
    const known = this.#ballots.get(id);
    if (known !== undefined) return known;
    const made: Ballot = {
      id,
      votes: this.#taken.map(() => undefined),
      turns: this.#taken.map(() => 0),
      isDown: false,
    };
    this.#ballots.set(id, made);
    return made;
  }

  /** Judges the boxes that may have turned; all of them where every box looks dead now, or no longer. */
  #count(): void {
    for (const ballot of this.#stale) {
      const votes = castIn(ballot);
      if (ballot.isDown) this.#down--;
      ballot.isDown = votes.length > 0 && isDownInAll(votes);
      if (ballot.isDown) this.#down++;
      if (votes.length > 0) continue;
      this.#ballots.delete(ballot.id);
      this.#nodes.delete(ballot.id);
      this.#stale.delete(ballot);
    }
    const holding = this.#ballots.size > 0 && this.#down === this.#ballots.size;
    const judged = holding === this.#holding ? this.#stale : this.#ballots.values();
    this.#holding = holding;
    for (const ballot of judged) this.#nodes.set(ballot.id, mergeBox(castIn(ballot), holding));
    this.#stale.clear();
  }
}

function castIn({ votes }: Ballot): HealthVote[] {
  return votes.filter((vote) => vote !== undefined);
}

/** Whether no family is left. */
function isDownInAll(votes: readonly HealthVote[]): boolean {
  return families.every((family) => ['down', undefined].includes(majority(votes, family, false)));
}

function mergeBox(votes: readonly HealthVote[], anyLifeCounts: boolean): MergedNode {
  const verdicts = new Map<Family, 'up' | 'down' | 'unknown'>();
  for (const family of families) {
    const verdict = majority(votes, family, anyLifeCounts);
    if (verdict !== undefined) verdicts.set(family, verdict);
  }
  let said: HealthVote['said'];
  for (const vote of votes) {
    if (vote.said !== undefined && (said === undefined || vote.said.atMs > said.atMs)) said = vote.said;
  }
  const isDown = [...verdicts.values()].includes('down');
  return {
    verdicts,
    draining: said?.draining ?? votes.some((vote) => vote.draining === true),
    said,
    why: isDown ? reasonsOf(votes) : '',
  };
}

/** Undefined where no one watches the box in this family. */
function majority(
  votes: readonly HealthVote[],
  family: Family,
  anyLifeCounts: boolean,
): 'up' | 'down' | 'unknown' | undefined {
  const count = { up: 0, down: 0, damped: 0, unknown: 0 };
  for (const vote of votes) {
    const cast = voteOf(vote, family);
    if (cast !== undefined) count[cast]++;
  }
  const { up, down, damped, unknown } = count;
  if (up + down + damped + unknown === 0) return undefined;
  if (anyLifeCounts && up + damped > 0) return 'up';
  if (up + down + damped === 0) return 'unknown';
  return down + damped > up ? 'down' : 'up';
}

/** "a: …" of one node alone is just its reason; of several, how many say what. */
function reasonsOf(votes: readonly HealthVote[]): string {
  const against = votes.filter(({ why }) => why !== undefined);
  const texts = [...new Set(against.map(({ why }) => why ?? ''))].slice(0, 3).join('; ');
  if (votes.length === 1) return texts;
  return `${against.length} of ${votes.length} steering nodes: ${texts}`;
}
