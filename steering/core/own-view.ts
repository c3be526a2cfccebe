import type { BoxReport, FamilyVote, HealthVote, PeerView, Sight } from '../../common/contract/health.ts';
import { families, holdLastGood, restore, type Family, type ProbeState } from './health.ts';
import { quarantineReason } from './quarantine.ts';

/** What this node has seen of a box. */
export interface BoxEvidence {
  readonly id: string;
  /** By family in which it has an address. */
  readonly probes: ReadonlyMap<Family, ProbeState>;
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
type States = ReadonlyMap<Key, ProbeState>;

/** What this node tells the others, and itself: its evidence with the rules of one who may be wrong. */
export function castView(
  boxes: readonly BoxEvidence[],
  options: OwnViewOptions,
): { readonly view: PeerView; readonly holding: boolean } {
  const { node, mapSequence, sight } = options;
  const { states, holding } = isHeld(boxes, options) ? hold(statesOf(boxes), options) : asSeen;
  // Half of all boxes do not flap at a time: the way to them does, and nobody is held down for that.
  const damps = boxes.filter(({ suppressed }) => suppressed.size > 0).length * 2 <= boxes.length;
  const votes = boxes.map((box) => voteFor(box, states, damps));
  return { view: { node, isolated: sight === 'isolated', mapSequence, votes }, holding };
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
      [...probes].map(([family, state]): [Key, ProbeState] => [keyOf(id, family), state]),
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

function familyVote({ verdict }: ProbeState, isSuppressed: boolean): FamilyVote {
  if (verdict === 'unknown' || verdict === 'down') return verdict;
  return isSuppressed ? 'damped' : 'up';
}
