import { drawOf, type HashPair } from '../../common/core/rendezvous.ts';
import type { PackedRankKeys } from './rank-keys.ts';
import { anyBundle, type RankState } from './rank-query.ts';
import { scoreOf } from './score.ts';
import { DEAD_FAMILIES_SHIFT, HAS_ROUTES, indexesWith, traitsOf } from './traits.ts';
import type { SteeringView } from './view.ts';

/** What is asked of one set of routes. */
export interface QuickAsked {
  state: RankState;
  /** The families in which the client will call, as `familyBits` has them. */
  family: number;
  /** Row of the bundle in the holdings, as queries have it. */
  row: number;
  /** Of what is asked for, for rendezvous. */
  key: HashPair;
  /** So many ways are enough. */
  firstWays: number;
}

/** What a ranker goes by. */
export interface QuickWaysOptions {
  readonly keys: PackedRankKeys;
  readonly waysMax: number;
  /** Whether a box that sends some of its viewers on keeps the one who asks. */
  readonly keeps: (appliance: number) => boolean;
}

// A member of a set in 31 bits, so that the greater number is the better way: one more than how many of the set stand behind it by the
// keys, the most significant bits of its draw, and which one it is.
const MEMBER_BITS = 5;
const DRAW_BITS = 20;
const CODE_SHIFT = MEMBER_BITS + DRAW_BITS;
const DRAW_CUT = 26 - DRAW_BITS;
const membersMax = 1 << MEMBER_BITS;
/** In the place of a plan: the set is not one that is looked at here. */
const OTHER = -1;
// Of a plan: a member's appliance, and above it how many stand behind it.
const APPLIANCE_BITS = 16;
const APPLIANCE = 2 ** APPLIANCE_BITS - 1;

/**
 * Chooses ways where that is simple, which is nearly always: out of those boxes alone whose own routes are around the client, hold the bundle,
 * are well and keep the viewer, where they fill an answer with two sites. How a set's members stand by the keys of the policy
 * is the same for every client, so it is found out once; a client's own part is their hashes and bits, in steps that are the
 * same for all of them, as there is nothing for a processor to guess. It allocates nothing. Where it cannot tell, a ranker asks everybody.
 */
export class QuickWays {
  /** The ways chosen last, appliances, best first. */
  readonly ways: Uint16Array;
  readonly #options: QuickWaysOptions;
  readonly #view: SteeringView;
  readonly #traits: Uint8Array;
  readonly #origins: Uint16Array;
  readonly #sets: Uint32Array;
  readonly #hashA: Uint32Array;
  readonly #sites: Uint16Array;
  readonly #everybody: Uint8Array;
  /**
   * What was found out of each set, at half of its place: how many members it has, and of each its appliance and one more than how many stand
   * behind it. A client needs no more of a set, and that is mostly in one line of a cache.
   */
  readonly #plans: Int32Array;
  // Of the client who asks: the members of the set, and the best of them.
  readonly #members = new Int32Array(membersMax);
  readonly #best: Int32Array;

  constructor(view: SteeringView, options: QuickWaysOptions) {
    const { waysMax } = options;
    this.#options = options;
    this.#view = view;
    this.#traits = traitsOf(view.columns);
    this.#origins = indexesWith(view.columns.isOrigin);
    this.#sets = view.routes.lists.sets;
    this.#hashA = view.columns.hashA;
    this.#sites = view.columns.sites;
    this.#everybody = new Uint8Array((view.appliances.length >>> 3) + 1).fill(0xff);
    this.#plans = new Int32Array(this.#sets.length / 2);
    this.#best = new Int32Array(waysMax + 1);
    this.ways = new Uint16Array(waysMax);
  }

  /** Chooses out of a set, which is not empty; @returns how many ways there are, all or as many as are enough; 0 where it cannot tell. */
  choose(set: number, asked: QuickAsked): number {
    if (asked.row < 0 && asked.row !== anyBundle) return 0;
    const plan = set >>> 1;
    if (this.#plans[plan] === 0) this.#plan(set);
    if (this.#plans[plan] === OTHER) return 0;
    const { waysMax } = this.#options;
    const origin = this.#bestOrigin(asked);
    const boxesMax = origin < 0 ? waysMax : waysMax - 1;
    // What makes an answer one of several sites, and an origin, stand at its end.
    const isEnough = asked.firstWays < boxesMax;
    const boxes = isEnough ? asked.firstWays : boxesMax;
    const best = this.#best;
    for (let at = 0; at <= boxes; at++) best[at] = 0;
    this.#judge(plan, asked, boxes);
    for (let at = 0; at < boxes; at++) {
      const member = best[at] ?? 0;
      if (member === 0 || isTie(member, best[at + 1] ?? 0)) return 0;
      this.ways[at] = this.#applianceOf(plan, member);
    }
    if (isEnough) return boxes;
    if (boxes > 1 && !this.#isOfSites(boxes) && !this.#spread(plan, boxes)) return 0;
    if (origin >= 0) this.ways[boxes] = origin;
    return waysMax;
  }

  /** Finds the best members, and one more. */
  #judge(plan: number, { state, family, row, key }: QuickAsked, boxes: number): void {
    const { conditions, downFamilies, kept } = state;
    const { keeps } = this.#options;
    const { bits, rowBytes } = this.#view.holdings;
    const traits = this.#traits;
    const holders = row < 0 ? this.#everybody : bits;
    const holdersAt = row < 0 ? 0 : row * rowBytes;
    const plans = this.#plans;
    const hashA = this.#hashA;
    const members = this.#members;
    const best = this.#best;
    const keyA = key.a | 0;
    const count = plans[plan] ?? 0;
    for (let member = 0; member < count; member++) {
      const planned = plans[plan + 1 + member] ?? 0;
      const appliance = planned & APPLIANCE;
      const dead = ((traits[appliance] ?? 0) >>> DEAD_FAMILIES_SHIFT) | (downFamilies[appliance] ?? 0);
      const fault = (conditions[appliance] ?? 0) | (dead & family);
      const holds = ((holders[holdersAt + (appliance >>> 3)] ?? 0) >>> (appliance & 7)) & 1;
      // All ones where there is no fault and it holds the bundle.
      let qualifies = ((fault - 1) >> 31) & -holds;
      if ((kept[appliance] ?? 1) < 1 && !keeps(appliance)) qualifies = 0;
      const draw = drawOf(hashA[appliance] ?? 0, keyA) >>> DRAW_CUT;
      let rank =
        (((planned & ~APPLIANCE) << (CODE_SHIFT - APPLIANCE_BITS)) | (draw << MEMBER_BITS) | member) &
        qualifies;
      members[member] = rank;
      for (let place = 0; place <= boxes; place++) {
        const other = best[place] ?? 0;
        const less = (rank - other) & ((rank - other) >> 31);
        best[place] = rank - less;
        rank = other + less;
      }
    }
  }

  #applianceOf(plan: number, member: number): number {
    return (this.#plans[plan + 1 + (member & (membersMax - 1))] ?? 0) & APPLIANCE;
  }

  #isOfSites(boxes: number): boolean {
    const only = this.#sites[this.ways[0] ?? 0];
    for (let at = 1; at < boxes; at++) if (this.#sites[this.ways[at] ?? 0] !== only) return true;
    return false;
  }

  /** Puts the best member of another site in the last place; false where it cannot tell which. */
  #spread(plan: number, boxes: number): boolean {
    const only = this.#sites[this.ways[0] ?? 0];
    const count = this.#plans[plan] ?? 0;
    let best = 0;
    let second = 0;
    for (let at = 0; at < count; at++) {
      const member = this.#members[at] ?? 0;
      if (member <= second || this.#sites[this.#applianceOf(plan, member)] === only) continue;
      second = Math.min(best, member);
      best = Math.max(best, member);
    }
    if (best === 0 || isTie(best, second)) return false;
    this.ways[boxes - 1] = this.#applianceOf(plan, best);
    return true;
  }

  /** The origin that is the last way; -1 where none is well. */
  #bestOrigin({ state, key }: QuickAsked): number {
    const { columns } = this.#view;
    let best = -1;
    for (const origin of this.#origins) {
      if (state.conditions[origin] !== 0) continue;
      if (best >= 0) {
        const score = scoreOf(columns, origin, key) - scoreOf(columns, best, key);
        const isFirst = (columns.idOrder[origin] ?? 0) < (columns.idOrder[best] ?? 0);
        if (score < 0 || (score === 0 && !isFirst)) continue;
      }
      best = origin;
    }
    return best;
  }

  /** Finds out how the members of a set stand by the keys. */
  #plan(set: number): void {
    const { keys } = this.#options;
    const { weights } = this.#view.columns;
    const sets = this.#sets;
    const plans = this.#plans;
    const count = sets[set] ?? 0;
    const plan = set >>> 1;
    plans[plan] = OTHER;
    if (count > membersMax) return;
    for (let member = 0; member < count; member++) {
      const appliance = sets[set + 1 + 2 * member] ?? 0;
      const route = sets[set + 2 + 2 * member] ?? 0;
      const weight = weights[appliance] ?? 0;
      if (((this.#traits[appliance] ?? 0) & HAS_ROUTES) === 0) return;
      let behind = 0;
      for (let other = set + 1; other <= set + 2 * count; other += 2) {
        const difference = keys.compareRoutes(route, sets[other + 1] ?? 0);
        // Draws tell nothing of boxes with different lines.
        const isDrawn = weight > 0 && weight === weights[sets[other] ?? 0];
        if (difference === 0 && !isDrawn) return;
        if (difference < 0) behind++;
      }
      plans[plan + 1 + member] = ((1 + behind) << APPLIANCE_BITS) | appliance;
    }
    plans[plan] = count;
  }
}

/** Whether two members are the same but for which ones they are. */
function isTie(member: number, next: number): boolean {
  return member >>> MEMBER_BITS === next >>> MEMBER_BITS;
}
