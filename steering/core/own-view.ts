import type { BoxReport, FamilyVote, HealthVote, PeerView, Sight } from '../../common/contract/health.ts';
import { families, holdLastGood, restore, type Family, type SeenState } from './health.ts';
import { quarantineReason } from './quarantine.ts';

/** What this node has seen of a box. Never changed: what is seen next makes another. */
export interface BoxEvidence {
  readonly id: string;
  /** By family in which it has an address. */
  readonly probes: ReadonlyMap<Family, SeenState>;
  /** Families in which it is held down for its flapping. */
  readonly suppressed: ReadonlySet<Family>;
  /** What it said last, while its stream is alive. */
  readonly report: BoxReport | undefined;
}

export interface OwnViewOptions {
  readonly node: string;
  readonly mapSequence: number;
  readonly sight: Sight;
  /** See `holdLastGood`. */
  readonly holdWindowMs: number;
}

const whyLengthMax = 200;
/** With one box alone in a family it is the box that is dead, as likely as our own way there. */
const familyBoxesMin = 2;

type Key = `${Family} ${string}`;
type States = ReadonlyMap<Key, SeenState>;

/**
 * What this node tells the others, and itself: its evidence with the rules of one who may be wrong. With the votes that were cast
 * before only those are made that may be others now; what was cast is the same either way.
 */
export function castView(
  boxes: readonly BoxEvidence[],
  options: OwnViewOptions,
  before: VoteBook = new VoteBook(),
): { readonly view: PeerView; readonly holding: boolean } {
  const { node, mapSequence, sight } = options;
  const { states, holding } = isHeld(boxes, options) ? hold(statesOf(boxes), options) : asSeen;
  // Half of all boxes do not flap at a time: the way to them does, and nobody is held down for that.
  let flapping = 0;
  for (const { suppressed } of boxes) if (suppressed.size > 0) flapping++;
  const votes = before.take(boxes, { states, damps: flapping * 2 <= boxes.length });
  return { view: { node, isolated: sight === 'isolated', mapSequence, votes }, holding };
}

/** What votes are cast by, beside the evidence of each box. */
interface Casting {
  /** What is told in place of what was seen; empty where all is told as it was seen. */
  readonly states: States;
  /** Whether those who flap are held down. */
  readonly damps: boolean;
}

interface Cast {
  readonly box: BoxEvidence;
  readonly vote: HealthVote;
  readonly damps: boolean;
  readonly isHeld: boolean;
}

/** The votes that were cast last. A vote, and all of them together, is the same object for as long as it says the same. */
export class VoteBook {
  #casts = new Map<string, Cast>();
  #votes: HealthVote[] = [];

  take(boxes: readonly BoxEvidence[], casting: Casting): HealthVote[] {
    const before = this.#votes;
    let votes = boxes.length === before.length ? before : [];
    for (const [at, box] of boxes.entries()) {
      const vote = this.#voteFor(box, casting);
      if (votes === before && vote !== before[at]) votes = before.slice(0, at);
      if (votes !== before) votes.push(vote);
    }
    this.#votes = votes;
    if (this.#casts.size > boxes.length) this.#forgetAllBut(boxes);
    return votes;
  }

  #voteFor(box: BoxEvidence, { states, damps }: Casting): HealthVote {
    const isHeld = states.size > 0;
    const known = this.#casts.get(box.id);
    if (known?.box === box && known.damps === damps && !isHeld && !known.isHeld) return known.vote;
    const made = voteFor(box, states, damps);
    const vote = known !== undefined && isSameVote(known.vote, made) ? known.vote : made;
    this.#casts.set(box.id, { box, vote, damps, isHeld });
    return vote;
  }

  #forgetAllBut(boxes: readonly BoxEvidence[]): void {
    const ids = new Set(boxes.map(({ id }) => id));
    for (const id of [...this.#casts.keys()]) if (!ids.has(id)) this.#casts.delete(id);
  }
}

function isSameVote(a: HealthVote, b: HealthVote): boolean {
  const [one, other] = [a.said, b.said];
  return (
    a.v4 === b.v4 &&
    a.v6 === b.v6 &&
    a.draining === b.draining &&
    a.why === b.why &&
    one?.atMs === other?.atMs &&
    one?.draining === other?.draining &&
    one?.headroom === other?.headroom &&
    one?.unwell === other?.unwell
  );
}

const asSeen: { states: States; holding: boolean } = { states: new Map(), holding: false };

/** Whether anything may have to be held: not while some box is left in each family. Looked at twice a second, so at little cost. */
function isHeld(boxes: readonly BoxEvidence[], { sight }: OwnViewOptions): boolean {
  const watched = new Set<Family>();
  const alive = new Set<Family>();
  for (const { probes } of boxes) {
    for (const [family, { verdict }] of probes) {
      watched.add(family);
      if (verdict !== 'down') alive.add(family);
    }
  }
  return sight === 'isolated' || alive.size < watched.size;
}

function statesOf(boxes: readonly BoxEvidence[]): States {
  return new Map(
    boxes.flatMap(({ id, probes }) =>
      [...probes].map(([family, state]): [Key, SeenState] => [keyOf(id, family), state]),
    ),
  );
}

function keyOf(id: string, family: Family): Key {
  return `${family} ${id}`;
}

function hold(all: States, { sight, holdWindowMs }: OwnViewOptions): { states: States; holding: boolean } {
  if (sight === 'isolated') {
    const why = 'this node has lost its peers and most boxes';
    return { states: restore(all, holdWindowMs, why), holding: true };
  }
  const held = holdLastGood(all, holdWindowMs);
  if (held.holding) return held;
  // Our own IPv6 may be gone while IPv4 is there.
  const states = new Map(all);
  for (const family of families) {
    const ofFamily = new Map([...all].filter(([key]) => key.startsWith(`${family} `)));
    if (ofFamily.size < familyBoxesMin) continue;
    for (const [key, state] of holdLastGood(ofFamily, holdWindowMs).states) states.set(key, state);
  }
  return { states, holding: false };
}

function voteFor(
  { id, probes, suppressed, report }: BoxEvidence,
  states: States,
  damps: boolean,
): HealthVote {
  const cast: Partial<Record<Family, FamilyVote>> = {};
  const whys = new Set<string>();
  let isDraining = false;
  for (const [family, seen] of probes) {
    const state = states.size === 0 ? seen : (states.get(keyOf(id, family)) ?? seen);
    const vote = familyVote(state, damps && suppressed.has(family));
    cast[family] = vote;
    isDraining ||= state.verdict === 'draining';
    if (vote === 'damped') whys.add('it flaps: it is held down until it has been steady for a while');
    if (vote === 'down') whys.add(probes.size > 1 ? `IPv${family}: ${state.reason}` : state.reason);
  }
  const { 4: v4, 6: v6 } = cast;
  const unwell = report && quarantineReason(report);
  return {
    id,
    ...(v4 !== undefined && { v4 }),
    ...(v6 !== undefined && { v6 }),
    ...(isDraining && { draining: true as const }),
    ...(report !== undefined && {
      said: {
        atMs: report.sentAtMs,
        draining: report.state === 'draining',
        headroom: report.headroom,
        ...(unwell !== undefined && { unwell }),
      },
    }),
    ...(whys.size > 0 && { why: [...whys].join('; ').slice(0, whyLengthMax) }),
  };
}

function familyVote({ verdict }: SeenState, isSuppressed: boolean): FamilyVote {
  if (verdict === 'unknown' || verdict === 'down') return verdict;
  return isSuppressed ? 'damped' : 'up';
}
