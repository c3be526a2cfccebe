import { openPrefixTable, type PrefixTable } from '../../common/core/prefix-table.ts';
import type { Place } from '../../common/contract/documents.ts';
import { drawOf, type HashPair } from '../../common/core/rendezvous.ts';
import { distanceKm } from './distance.ts';
import { familyBits } from './families.ts';
import { filterNumber } from './filters.ts';
import { hasBit } from './holdings.ts';
import { QuickWays, type QuickAsked } from './quick-ways.ts';
import { FETCHES, ORIGIN, PackedRankKeys, packedRange, SPILLED } from './rank-keys.ts';
import { blockBits } from './history-records.ts';
import {
  anyBundle,
  noQuery,
  noState,
  type RankQuery,
  type RankState,
  type WaysPolicy,
} from './rank-query.ts';
import { lengthOf, setOf } from './route-lists.ts';
import { scoreOf } from './score.ts';
import { DEAD_FAMILIES_SHIFT, indexesWith, IS_ORIGIN, MAY_FETCH, reachBy, traitsOf } from './traits.ts';
import { Viewer } from './viewer.ts';
import type { SteeringView } from './view.ts';

/** An answer has at least so many ways, where there are so many. */
const waysMin = 3;

const NO_ROUTE = filterNumber('no-route');
const ADDRESS_FAMILY = filterNumber('address-family');
const NOT_HELD = filterNumber('not-held');
const NO_HEADROOM = filterNumber('no-headroom');

/**
 * Ranks over one view. What it finds stays readable until the next query, so nothing is made for one: candidates are slots of
 * typed arrays. The same input has the same answer everywhere (pure but for its scratch memory).
 */
export class Ranker {
  /** The last answer: slots, best first, origins last. */
  readonly ways: Uint16Array;
  wayCount = 0;
  /** There may be more ways, which nobody asked for: it ends with the `firstWays` of the query. */
  isCut = false;
  /** Everybody was full: those that only lack headroom were taken nevertheless. */
  overfull = false;
  /** The entry of the list that was found, see route-lists.ts; 0: no route reaches the client. */
  entry = 0;
  /** Bits of the block around the client for which this is the answer. */
  scopeLength = 0;
  /** How many candidates were judged, and for each slot what it is. */
  count = 0;
  readonly appliances: Uint16Array;
  /** Index of its route among the distinct ones; their number where it has none. */
  readonly routes: Uint32Array;
  /** Bits of the prefix by which that reaches the client; 0 where it has none. */
  readonly lengths: Uint8Array;
  /** Number of the filter that removed it; 0: none. */
  readonly removedBy: Uint8Array;
  readonly distances: Float64Array;
  readonly #flags: Uint8Array;
  readonly #before: Float64Array;
  readonly #draws: Uint32Array;

  readonly #view: SteeringView;
  readonly #waysMax: number;
  readonly #table4: PrefixTable;
  readonly #table6: PrefixTable;
  readonly #keys: PackedRankKeys;
  readonly #traits: Uint8Array;
  readonly #sets: Uint32Array;
  readonly #hashA: Uint32Array;
  readonly #holdingBits: Uint8Array;
  readonly #origins: Uint16Array;
  readonly #open: Uint16Array;
  /** Asked first where no list can hold a better way than the one around which it is; undefined elsewhere. */
  readonly #quick: QuickWays | undefined;
  /** Whether whoever has no route stands behind all who have one, whatever else. */
  readonly #unroutedLast: boolean;
  // The turn in which an appliance was last a candidate.
  readonly #seen: Uint32Array;
  #turn = 0;
  #query: RankQuery = noQuery;
  #family = 0;
  #table: PrefixTable;
  /** Where the bits of the bundle's holders begin. */
  #bitsAt = 0;
  /** Where the client was taken to be; undefined where a route reaches it, or nothing is known. */
  place: Place | undefined;
  #state: RankState = noState;
  #key: HashPair = { a: 0, b: 0 };
  #keyA = 0;
  readonly #asked: QuickAsked = { state: noState, family: 0, key: this.#key, row: anyBundle, firstWays: 0 };
  readonly #viewer: Viewer;
  // The best of those that qualify, in order; all that can come into an answer.
  readonly #boxes: Uint16Array;
  #boxCount = 0;
  readonly #lastWays: Uint16Array;
  #lastWayCount = 0;

  constructor(view: SteeringView, { order, waysMax }: WaysPolicy) {
    const { columns, routes } = view;
    const size = view.appliances.length;
    this.#view = view;
    this.#waysMax = waysMax;
    this.#table4 = openPrefixTable(routes[4]);
    this.#table6 = openPrefixTable(routes[6]);
    this.#table = this.#table4;
    this.#keys = new PackedRankKeys(routes.lists, order);
    this.#traits = traitsOf(columns);
    this.#viewer = new Viewer(columns);
    this.#sets = routes.lists.sets;
    this.#hashA = columns.hashA;
    this.#holdingBits = view.holdings.bits;
    this.#origins = indexesWith(columns.isOrigin);
    this.#open = indexesWith(columns.open);
    const [leading] = order;
    // An origin's own routes are compared with those of other origins, wherever they stand.
    const originsAreUnrouted = this.#origins.every((index) => view.appliances[index]?.routeCount === 0);
    if (leading === 'prefix-length' && originsAreUnrouted)
      this.#quick = new QuickWays(view, { waysMax, keys: this.#keys, keeps: (box) => this.#keeps(box) });
    this.#unroutedLast = leading === 'prefix-length' || leading === 'class';
    this.#seen = new Uint32Array(size);
    this.appliances = new Uint16Array(size);
    this.routes = new Uint32Array(size);
    this.lengths = new Uint8Array(size);
    this.removedBy = new Uint8Array(size);
    this.distances = new Float64Array(size);
    this.#flags = new Uint8Array(size);
    this.#before = new Float64Array(size);
    this.#draws = new Uint32Array(size);
    this.ways = new Uint16Array(waysMax);
    this.#boxes = new Uint16Array(waysMax);
    this.#lastWays = new Uint16Array(waysMax);
  }

  /** Answers a query: the ways to a bundle for a client. Whoever could not change the answer any more is not looked at. */
  rank(query: RankQuery, state: RankState): void {
    this.#begin(query, state);
    if (this.#isQuick()) return;
    this.#addEntry(this.entry);
    if (this.#quick !== undefined && this.entry !== 0) {
      this.#addUnrouted(this.#origins);
      if (this.#isSettled()) return;
    }
    this.#addListsAround();
    this.#addUnrouted(this.#origins);
    if (this.#unroutedLast && this.#isSettled()) return;
    this.#addUnrouted(this.#open);
    this.#answer();
  }

  /** The same, with every candidate judged, and of the others those that are named. */
  rankAll(query: RankQuery, state: RankState, also: Iterable<number>): void {
    this.#begin(query, state);
    this.#addEntry(this.entry);
    this.#addListsAround();
    this.#addUnrouted(this.#origins);
    this.#addUnrouted(this.#open);
    for (const appliance of also) this.#add(appliance, this.#keys.unrouted, 0);
    this.#answer();
  }

  /** Whether the answer was found in the way that is quick; then its ways are all that can be read of it. */
  #isQuick(): boolean {
    if (this.#quick === undefined || this.entry === 0 || this.place !== undefined) return false;
    this.#asked.state = this.#state;
    this.#asked.family = this.#family;
    this.#asked.key = this.#key;
    this.#asked.row = this.#query.row;
    this.#asked.firstWays = this.#query.firstWays;
    this.wayCount = this.count = this.#quick.choose(setOf(this.entry), this.#asked);
    for (let at = 0; at < this.wayCount; at++) {
      this.appliances[at] = this.#quick.ways[at] ?? 0;
      this.ways[at] = at;
    }
    this.isCut = this.wayCount > 0 && this.wayCount < this.#waysMax;
    return this.wayCount > 0;
  }

  /** Compares two slots; below 0 where the first is the better. */
  compare(a: number, b: number): number {
    const before = (this.#before[a] ?? 0) - (this.#before[b] ?? 0);
    if (before !== 0) return before;
    if (this.#keys.byDistance) {
      const near = this.distances[a] ?? 0;
      const far = this.distances[b] ?? 0;
      // Infinity: the distance is not known.
      if (near !== far) return near < far ? -1 : 1;
      if (this.#keys.hasAfter) {
        const then = this.#after(a) - this.#after(b);
        if (then !== 0) return then;
      }
    }
    return this.#compareDraws(a, b);
  }

  /** The rendezvous score of a slot. */
  scoreOf(slot: number): number {
    return scoreOf(this.#view.columns, this.appliances[slot] ?? 0, this.#key);
  }

  /** Whether a slot is full for this viewer, who was sent on. */
  isSpilled(slot: number): boolean {
    return ((this.#flags[slot] ?? 0) & SPILLED) !== 0;
  }

  /** Whether a slot would have to fetch the bundle. */
  isFetching(slot: number): boolean {
    return ((this.#flags[slot] ?? 0) & FETCHES) !== 0;
  }

  #begin(query: RankQuery, state: RankState): void {
    const { words, clientFamily } = query;
    const table = clientFamily === 4 ? this.#table4 : this.#table6;
    this.entry = table.valueOf(words);
    this.#table = table;
    this.scopeLength = table.scope;
    this.count = 0;
    this.isCut = false;
    this.overfull = false;
    this.#boxCount = 0;
    this.#lastWayCount = 0;
    this.#query = query;
    this.#family = familyBits[query.family];
    const found = this.entry === 0 ? query.places?.find(words, clientFamily) : undefined;
    // The answer is for no more than is known to be there.
    this.scopeLength = Math.max(this.scopeLength, Math.min(found?.bits ?? 0, blockBits[clientFamily]));
    this.place = query.place ?? found?.place ?? (this.entry === 0 ? query.placeUnknown : undefined);
    this.#state = state;
    this.#turn = (this.#turn + 1) >>> 0;
    if (this.#turn === 0) this.#seen.fill(this.#turn++);
    this.#viewer.turnTo(words, query.forBlock ? this.scopeLength : clientFamily === 4 ? 32 : 128);
    this.#key = query.key ?? this.#viewer.hash();
    this.#keyA = this.#key.a | 0;
    this.#bitsAt = query.row * this.#view.holdings.rowBytes;
  }

  #after(slot: number): number {
    return this.#keys.after(this.routes[slot] ?? 0, this.lengths[slot] ?? 0);
  }

  #addEntry(entry: number): void {
    const sets = this.#sets;
    const set = setOf(entry);
    const end = set + 2 * (sets[set] ?? 0);
    for (let at = set + 1; at < end; at += 2) this.#add(sets[at] ?? 0, sets[at + 1] ?? 0, lengthOf(entry));
  }

  #addListsAround(): void {
    // Around nothing there is nothing, and to find that out takes as much as the lookup did.
    if (this.entry === 0) return;
    const { lists } = this.#view.routes.lists;
    let list = this.#table.besideOf(this.#query.words);
    for (; list !== 0; list = lists[2 * list + 1] ?? 0) this.#addEntry(lists[2 * list] ?? 0);
  }

  #addUnrouted(appliances: Uint16Array): void {
    const { unrouted } = this.#keys;
    for (const appliance of appliances) this.#add(appliance, unrouted, 0);
  }

  /** Makes an appliance a candidate, unless it is one already. */
  #add(appliance: number, route: number, length: number): void {
    if (this.#seen[appliance] === this.#turn) return;
    this.#seen[appliance] = this.#turn;
    const slot = this.count++;
    const traits = this.#traits[appliance] ?? 0;
    const isOrigin = (traits & IS_ORIGIN) !== 0;
    let removed = isOrigin ? 0 : this.#filterOf(appliance, route);
    let flags = isOrigin ? ORIGIN : this.#keeps(appliance) ? 0 : SPILLED;
    if (removed === NOT_HELD && (traits & MAY_FETCH) !== 0) {
      removed = 0;
      flags |= FETCHES;
    }
    if (removed === 0) removed = this.#state.conditions[appliance] ?? 0;
    this.appliances[slot] = appliance;
    this.routes[slot] = route;
    this.lengths[slot] = length;
    this.removedBy[slot] = removed;
    this.#flags[slot] = flags;
    this.#before[slot] = flags * packedRange + this.#keys.before(route, length);
    const { place } = this;
    this.distances[slot] =
      place === undefined ? Infinity : distanceKm(place, this.#view.appliances[appliance]?.place);
    this.#draws[slot] = drawOf(this.#hashA[appliance] ?? 0, this.#keyA);
    if (removed === 0) this.#take(slot);
  }

  /** The first filter that a box fails for what is asked; 0: none. */
  #filterOf(appliance: number, route: number): number {
    const { row } = this.#query;
    const traits = this.#traits[appliance] ?? 0;
    if ((traits & reachBy(route !== this.#keys.unrouted)) === 0) return NO_ROUTE;
    const dead = (traits >>> DEAD_FAMILIES_SHIFT) | (this.#state.downFamilies[appliance] ?? 0);
    if ((dead & this.#family) !== 0) return ADDRESS_FAMILY;
    if (row === anyBundle || (row >= 0 && hasBit(this.#holdingBits, this.#bitsAt, appliance))) return 0;
    return NOT_HELD;
  }

  #keeps(appliance: number): boolean {
    const share = this.#state.kept[appliance] ?? 1;
    return share >= 1 || this.#viewer.isKept(appliance, share);
  }

  #compareDraws(a: number, b: number): number {
    const { idOrder, weights } = this.#view.columns;
    const left = this.appliances[a] ?? 0;
    const right = this.appliances[b] ?? 0;
    const weight = weights[left] ?? 0;
    if (weight > 0 && weight === weights[right]) {
      const draw = (this.#draws[b] ?? 0) - (this.#draws[a] ?? 0);
      if (draw !== 0) return draw;
    }
    const score = this.scoreOf(b) - this.scoreOf(a);
    return score === 0 ? (idOrder[left] ?? 0) - (idOrder[right] ?? 0) : score;
  }

  /** Takes a slot that qualifies into those that may come into the answer. */
  #take(slot: number): void {
    if (((this.#flags[slot] ?? 0) & ORIGIN) === 0)
      this.#boxCount = this.#insert(this.#boxes, this.#boxCount, slot);
    else this.#lastWayCount = this.#insert(this.#lastWays, this.#lastWayCount, slot);
  }

  #answer(): void {
    this.#choose();
    if (this.wayCount > 0) return;
    // A full box is better than none.
    for (let slot = 0; slot < this.count; slot++) {
      if (this.removedBy[slot] !== NO_HEADROOM) continue;
      this.removedBy[slot] = 0;
      this.overfull = true;
      this.#take(slot);
    }
    if (this.overfull) this.#choose();
  }

  /**
   * Chooses the answer: the best appliances, then an origin as the last way. Where all that fit are of one site, the last place among
   * them goes to the best of another site, or else of another cluster: the second way stays the best cluster mate, and a site
   * that goes dark does not take every appliance of the answer with it. Further origins only fill up an answer of fewer
   * than `waysMin`.
   */
  #choose(): void {
    const origins = this.#lastWayCount;
    const places = this.#waysMax - Math.min(1, origins);
    const chosen = Math.min(this.#boxCount, places);
    for (let at = 0; at < chosen; at++) this.ways[at] = this.#boxes[at] ?? 0;
    const { sites, clusters } = this.#view.columns;
    if (places > 1 && chosen === places && !this.#spread(sites, chosen)) this.#spread(clusters, chosen);
    const lastWays = Math.min(origins, Math.max(1, waysMin - chosen), this.#waysMax - chosen);
    for (let at = 0; at < lastWays; at++) this.ways[chosen + at] = this.#lastWays[at] ?? 0;
    this.wayCount = chosen + lastWays;
  }

  /** Puts a slot in its place among the best; @returns how many they are now. */
  #insert(best: Uint16Array, held: number, slot: number): number {
    let at = held;
    if (held === best.length) {
      at--;
      if (this.compare(slot, best[at] ?? 0) >= 0) return held;
    }
    for (; at > 0 && this.compare(slot, best[at - 1] ?? 0) < 0; at--) best[at] = best[at - 1] ?? 0;
    best[at] = slot;
    return Math.min(held + 1, best.length);
  }

  /** Whether the boxes chosen are of several domains, or now are where others would do; false: there is but one domain. */
  #spread(domains: Uint16Array, chosen: number): boolean {
    const only = domains[this.appliances[this.ways[0] ?? 0] ?? 0];
    for (let at = 1; at < chosen; at++) {
      if (domains[this.appliances[this.ways[at] ?? 0] ?? 0] !== only) return true;
    }
    let other = -1;
    for (let slot = 0; slot < this.count; slot++) {
      if (this.removedBy[slot] !== 0 || domains[this.appliances[slot] ?? 0] === only) continue;
      if (((this.#flags[slot] ?? 0) & ORIGIN) !== 0) continue;
      if (other < 0 || this.compare(slot, other) < 0) other = slot;
    }
    if (other < 0) return false;
    // A box that is full for this viewer is no help to one that is not.
    if (!this.isSpilled(other) || this.isSpilled(this.ways[chosen - 1] ?? 0)) this.ways[chosen - 1] = other;
    return true;
  }

  /** Whether nobody else could change the answer: it is full of routed boxes of two sites that hold and are not full. */
  #isSettled(): boolean {
    this.#choose();
    if (this.wayCount < this.#waysMax) return false;
    const { sites } = this.#view.columns;
    const boxes = this.#waysMax - Math.min(1, this.#lastWayCount);
    const only = sites[this.appliances[this.ways[0] ?? 0] ?? 0];
    let isSpread = false;
    for (let at = 0; at < boxes; at++) {
      const slot = this.ways[at] ?? 0;
      if (this.#flags[slot] !== 0) return false;
      isSpread ||= sites[this.appliances[slot] ?? 0] !== only;
    }
    return isSpread;
  }
}
