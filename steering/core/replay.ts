import type { Place } from '../../common/contract/documents.ts';
import { parsePrefix } from '../../common/core/ip-address.ts';
import { filterNumber } from './filters.ts';
import type { DecisionRecord } from './history-records.ts';
import { rankQueryOf, type RankPolicy } from './rank.ts';
import { askForShard, type Places, type RankState } from './rank-query.ts';
import { Ranker } from './ranker.ts';
import type { SteeringView } from './view.ts';

/** What is in force where decisions are made again. */
export interface ReplayWorld {
  readonly view: SteeringView;
  readonly state: RankState;
}

/** Where clients are taken to be that no route reaches. */
export interface Placing {
  readonly placeUnknown: Place | undefined;
  readonly places: Places | undefined;
}

/** Makes decisions again in one world after another, under one policy. */
export class Replayer {
  readonly policy: RankPolicy;
  readonly #placing: Placing;
  #world: ReplayWorld | undefined;
  #ranker: Ranker | undefined;

  constructor(policy: RankPolicy, placing: Placing) {
    this.policy = policy;
    this.#placing = placing;
  }

  /** The ids of the ways, best first; undefined where the record names no client that can be read. */
  ways(decision: DecisionRecord, world: ReplayWorld): string[] | undefined {
    const client = parsePrefix(decision.client);
    if (client === undefined) return undefined;
    const { view, state } = world;
    if (this.#ranker === undefined || this.#world?.view !== view)
      this.#ranker = new Ranker(view, this.policy);
    this.#world = world;
    const ranker = this.#ranker;
    const { family, bundle, shard, output } = decision;
    const asked = { client: client.address, family, bundle, ...this.#placing };
    const query = {
      ...rankQueryOf(view, { ...asked, forBlock: output === 'dns' }),
      shardKey: { a: 0, b: 0 },
    };
    if (shard !== undefined) askForShard(query, view.holdings, shard);
    ranker.rank(query, state);
    const ways: string[] = [];
    for (let at = 0; at < ranker.wayCount; at++)
      ways.push(view.appliances[ranker.appliances[ranker.ways[at] ?? 0] ?? 0]?.id ?? '');
    return ways;
  }
}

/** The same world with some appliances gone. */
export function without({ view, state }: ReplayWorld, ids: ReadonlySet<string>): ReplayWorld {
  const conditions = state.conditions.slice();
  for (const id of ids) {
    const index = view.indexOf.get(id);
    if (index !== undefined) conditions[index] = filterNumber('unhealthy');
  }
  return { view, state: { ...state, conditions } };
}

/** What a change would do, in decisions; each sample counts as many as it stands for. */
export interface ReplayReport {
  readonly decisions: number;
  readonly samples: number;
  /**
   * Share of the decisions whose recorded first way comes out again under the recorded map and state. Without those of content
   * steering, which keep viewers where they are while nobody gains; 1 where there are no others.
   */
  readonly fidelity: number;
  /** Share of those that have another first way after the change. */
  readonly moved: number;
  /** How many go from which box to which other, most first. */
  readonly moves: readonly { readonly from: string; readonly to: string; readonly decisions: number }[];
  /** How many each box is first for, before and after. */
  readonly boxes: readonly { readonly id: string; readonly before: number; readonly after: number }[];
}

const NOBODY = '(nobody)';

/** Sums up what a replay finds. */
export class ReplayTally {
  #decisions = 0;
  #comparable = 0;
  #samples = 0;
  #same = 0;
  #moved = 0;
  readonly #moves = new Map<string, { from: string; to: string; decisions: number }>();
  readonly #boxes = new Map<string, { id: string; before: number; after: number }>();

  /** Counts a decision by its first ways: made again, and made after the change. */
  add(
    { weight, output, ways: [recorded = NOBODY] }: DecisionRecord,
    { before = NOBODY, after = NOBODY }: { before: string | undefined; after: string | undefined },
  ): void {
    this.#decisions += weight;
    this.#samples++;
    if (output !== 'steering') {
      this.#comparable += weight;
      if (recorded === before) this.#same += weight;
    }
    this.#box(before).before += weight;
    this.#box(after).after += weight;
    if (before === after) return;
    this.#moved += weight;
    const key = `${before} ${after}`;
    const move = this.#moves.get(key) ?? { from: before, to: after, decisions: 0 };
    move.decisions += weight;
    this.#moves.set(key, move);
  }

  report(): ReplayReport {
    const share = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);
    return {
      decisions: this.#decisions,
      samples: this.#samples,
      fidelity: this.#comparable === 0 ? 1 : this.#same / this.#comparable,
      moved: share(this.#moved, this.#decisions),
      moves: [...this.#moves.values()].sort((a, b) => b.decisions - a.decisions),
      boxes: [...this.#boxes.values()].sort((a, b) => (a.id < b.id ? -1 : 1)),
    };
  }

  #box(id: string): { before: number; after: number } {
    const known = this.#boxes.get(id) ?? { id, before: 0, after: 0 };
    this.#boxes.set(id, known);
    return known;
  }
}
