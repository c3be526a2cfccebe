import { openPrefixTable, type PrefixTable } from '../../common/core/prefix-table.ts';
import type { Place } from '../../common/contract/documents.ts';
import { hashBlock, uniformOf, type HashPair } from '../../common/core/rendezvous.ts';
import { distanceKm } from './distance.ts';
import { familyBits } from './families.ts';
import { filterNumber } from './filters.ts';
import { holds } from './holdings.ts';
import { packRankKeys, packedRange, type PackedRankKeys, type RankKey } from './rank-keys.ts';
import type { SteeringView } from './view.ts';

/** Row of a query that asks for no bundle (DNS without a shard); -1 is one that the map does not know. */
export const anyBundle = -2;

/** What is asked. May be used again for the next query. */
export interface RankQuery {
  /** The client's address in words, and its family. */
  words: ArrayLike<number>;
  clientFamily: 4 | 6;
  /** The family in which the client will call. */
  family: 4 | 6;
  /** Row of the bundle in the holdings, or one of the two above. */
  row: number;
  /** Hash of what is asked for, for rendezvous; undefined: the client's own block. */
  key: HashPair | undefined;
  /** The answer is for all of the client's block (DNS), so that no part of it may be told from another. */
  forBlock: boolean;
  place: Place | undefined;
  /** Taken for the place of a client that no route reaches. */
  placeUnknown: Place | undefined;
}

/** What changes between maps, by appliance. */
export interface RankState {
  /** The number of the filter that it fails whoever asks; 0: none. */
  readonly conditions: Uint8Array;
  /** The families in which it is not reached, besides those in which it has no address: sets of `familyBits`. */
  readonly downFamilies: Uint8Array;
  /** The share of its viewers that it keeps, see load.ts. */
  readonly kept: Float64Array;
}

/** How an answer is made of those that qualify. */
export interface WaysPolicy {
  readonly order: readonly RankKey[];
  /** How many ways an answer has at most, the origin included; 2 or more. */
  readonly waysMax: number;
}

/** An answer has at least so many ways, where there are so many. */
const waysMin = 3;

const NO_ROUTE = filterNumber('no-route');
const ADDRESS_FAMILY = filterNumber('address-family');
const NOT_HELD = filterNumber('not-held');
const NO_HEADROOM = filterNumber('no-headroom');

// What stands above all keys, in one number with those that are compared first: origins last, then whoever is full for this
// viewer, then whoever would have to fetch.
const ORIGIN = 4 * packedRange;
const SPILLED = 2 * packedRange;
const FETCHES = packedRange;

const nothing: RankQuery = {
  ...{ words: [], clientFamily: 4, family: 4, row: anyBundle, key: undefined },
  ...{ forBlock: false, place: undefined, placeUnknown: undefined },
};

/**
 * Ranks over one view. What it finds stays readable until the next query, so nothing is made for one: candidates are slots of
 * typed arrays. The same input has the same answer everywhere (pure but for its scratch memory).
 */
export class Ranker {
  /** The last answer: slots, best first, origins last. */
  readonly ways: Uint16Array;
  wayCount = 0;
  /** Everybody was full: those that only lack headroom were taken nevertheless. */
  overfull = false;
  /** The list of routes that was found; 0: no route reaches the client. */
  list = 0;
  /** Bits of the block around the client for which this is the answer. */
  scopeLength = 0;
  /** How many candidates were judged, and for each slot what it is. */
  count = 0;
  readonly appliances: Uint16Array;
  /** Index of its route among the distinct ones; their number where it has none. */
  readonly routes: Uint32Array;
  /** Number of the filter that removed it; 0: none. */
  readonly removedBy: Uint8Array;
  readonly distances: Float64Array;
  readonly scores: Float64Array;
  readonly #before: Float64Array;

  readonly #view: SteeringView;
  readonly #waysMax: number;
  readonly #tables: Readonly<Record<4 | 6, PrefixTable>>;
  readonly #keys: PackedRankKeys;
  readonly #unrouted: number;
  readonly #origins: Uint16Array;
  readonly #open: Uint16Array;
  // The turn in which an appliance was last a candidate.
  readonly #seen: Uint32Array;
  #turn = 0;
  #query: RankQuery = nothing;
  #state: RankState = {
    conditions: new Uint8Array(),
    downFamilies: new Uint8Array(),
    kept: new Float64Array(),
  };
  #key: HashPair = { a: 0, b: 0 };
  #viewer: HashPair = { a: 0, b: 0 };
  readonly #lastWays: Uint16Array;

  constructor(view: SteeringView, { order, waysMax }: WaysPolicy) {
    const { columns, routes } = view;
    const size = view.appliances.length;
    const those = (column: Uint8Array): Uint16Array =>
      Uint16Array.from([...column.keys()].filter((index) => column[index] === 1));
    this.#view = view;
    this.#waysMax = waysMax;
    this.#tables = { 4: openPrefixTable(routes[4]), 6: openPrefixTable(routes[6]) };
    this.#keys = packRankKeys(routes.lists, order);
    this.#unrouted = this.#keys.before.length - 1;
    this.#origins = those(columns.isOrigin);
    this.#open = those(columns.open);
    this.#seen = new Uint32Array(size);
    this.appliances = new Uint16Array(size);
    this.routes = new Uint32Array(size);
    this.removedBy = new Uint8Array(size);
    this.distances = new Float64Array(size);
    this.scores = new Float64Array(size);
    this.#before = new Float64Array(size);
    this.ways = new Uint16Array(waysMax);
    this.#lastWays = new Uint16Array(waysMax);
  }

  /** Answers a query: the ways to a bundle for a client. Spares are only looked at where the routed do not make an answer. */
  rank(query: RankQuery, state: RankState): void {
    this.#begin(query, state);
    this.#addUnrouted(this.#origins);
    if (this.#keys.unroutedLast) {
      this.#choose();
      if (this.#isSettled()) return;
    }
    this.#addUnrouted(this.#open);
    this.#answer();
  }

  /** The same, with every candidate judged, and of the others those that are named. */
  rankAll(query: RankQuery, state: RankState, also: Iterable<number>): void {
    this.#begin(query, state);
    for (const appliances of [this.#origins, this.#open, also]) this.#addUnrouted(appliances);
    this.#answer();
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
      const { after } = this.#keys;
      const then = (after[this.routes[a] ?? 0] ?? 0) - (after[this.routes[b] ?? 0] ?? 0);
      if (then !== 0) return then;
    }
    const score = (this.scores[b] ?? 0) - (this.scores[a] ?? 0);
    if (score !== 0) return score;
    const { idOrder } = this.#view.columns;
    return (idOrder[this.appliances[a] ?? 0] ?? 0) - (idOrder[this.appliances[b] ?? 0] ?? 0);
  }

  /** Whether a slot is full for this viewer, who was sent on. */
  isSpilled(slot: number): boolean {
    return (this.#before[slot] ?? 0) % ORIGIN >= SPILLED;
  }

  /** Whether a slot would have to fetch the bundle. */
  isFetching(slot: number): boolean {
    return (this.#before[slot] ?? 0) % SPILLED >= FETCHES;
  }

  #begin(query: RankQuery, state: RankState): void {
    const { words, clientFamily } = query;
    const { lists } = this.#view.routes;
    const table = this.#tables[clientFamily];
    const interval = table.find(words);
    this.list = table.valueAt(interval);
    this.scopeLength = table.scopeAt(interval, words);
    this.count = 0;
    this.#query = query;
    this.#state = state;
    this.#turn = (this.#turn + 1) >>> 0;
    if (this.#turn === 0) this.#seen.fill(this.#turn++);
    const bits = query.forBlock ? this.scopeLength : clientFamily === 4 ? 32 : 128;
    this.#viewer = hashBlock(words, bits);
    this.#key = query.key ?? this.#viewer;
    for (let list = this.list; list !== 0; list = lists.around[list] ?? 0) {
      const set = lists.sets[list] ?? 0;
      const end = lists.starts[set + 1] ?? 0;
      for (let at = lists.starts[set] ?? 0; at < end; at++)
        this.#add(lists.appliances[at] ?? 0, lists.routes[at] ?? 0);
    }
  }

  #addUnrouted(appliances: Iterable<number>): void {
    for (const appliance of appliances) this.#add(appliance, this.#unrouted);
  }

  /** Makes an appliance a candidate, unless it is one already. */
  #add(appliance: number, route: number): void {
    if (this.#seen[appliance] === this.#turn) return;
    this.#seen[appliance] = this.#turn;
    const { columns, holdings, appliances } = this.#view;
    const query = this.#query;
    const state = this.#state;
    const slot = this.count++;
    const isOrigin = columns.isOrigin[appliance] === 1;
    let flags = isOrigin ? ORIGIN : 0;
    let removed = 0;
    if (!isOrigin) {
      const dead = (columns.deadFamilies[appliance] ?? 0) | (state.downFamilies[appliance] ?? 0);
      if (route === this.#unrouted && columns.open[appliance] !== 1) removed = NO_ROUTE;
      else if ((dead & familyBits[query.family]) !== 0) removed = ADDRESS_FAMILY;
      else if (query.row !== anyBundle && (query.row < 0 || !holds(holdings, query.row, appliance))) {
        if (columns.mayFetch[appliance] === 1) flags += FETCHES;
        else removed = NOT_HELD;
      }
      const kept = state.kept[appliance] ?? 1;
      if (kept < 1 && this.#viewerShare(appliance) >= kept) flags += SPILLED;
    }
    if (removed === 0) removed = state.conditions[appliance] ?? 0;
    this.appliances[slot] = appliance;
    this.routes[slot] = route;
    this.removedBy[slot] = removed;
    this.#before[slot] = flags + (this.#keys.before[route] ?? 0);
    const place = query.place ?? (this.list === 0 ? query.placeUnknown : undefined);
    const own = place === undefined ? undefined : appliances[appliance]?.place;
    this.distances[slot] = place === undefined || own === undefined ? Infinity : distanceKm(place, own);
    const weight = columns.weights[appliance] ?? 0;
    const uniform = uniformOf(columns.hashA[appliance] ?? 0, columns.hashB[appliance] ?? 0, this.#key);
    this.scores[slot] = weight <= 0 ? 0 : -weight / Math.log(uniform);
  }

  /** Where among an appliance's viewers this one stands, from 0 to 1; another one for each appliance. */
  #viewerShare(appliance: number): number {
    const { hashA, hashB } = this.#view.columns;
    return uniformOf(hashB[appliance] ?? 0, hashA[appliance] ?? 0, this.#viewer);
  }

  #answer(): void {
    this.#choose();
    this.overfull = false;
    if (this.wayCount > 0) return;
    // A full box is better than none.
    for (let slot = 0; slot < this.count; slot++) {
      if (this.removedBy[slot] === NO_HEADROOM) {
        this.removedBy[slot] = 0;
        this.overfull = true;
      }
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
    let origins = 0;
    let chosen = 0;
    for (let slot = 0; slot < this.count; slot++) {
      if (this.removedBy[slot] !== 0) continue;
      if (this.#isOrigin(slot)) origins = this.#insert(this.#lastWays, origins, slot);
      else chosen = this.#insert(this.ways, chosen, slot);
    }
    const places = this.#waysMax - Math.min(1, origins);
    chosen = Math.min(chosen, places);
    if (places > 1 && chosen === places) this.#spread(chosen);
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

  #spread(chosen: number): void {
    const { sites, clusters } = this.#view.columns;
    for (const domains of [sites, clusters]) {
      const domainOf = (slot: number): number => domains[this.appliances[slot] ?? 0] ?? 0;
      const only = domainOf(this.ways[0] ?? 0);
      let other = -1;
      for (let slot = 0; slot < this.count; slot++) {
        const isOther = this.removedBy[slot] === 0 && !this.#isOrigin(slot) && domainOf(slot) !== only;
        if (isOther && (other < 0 || this.compare(slot, other) < 0)) other = slot;
      }
      for (let at = 0; at < chosen; at++) if (domainOf(this.ways[at] ?? 0) !== only) return;
      if (other < 0) continue;
      // A box that is full for this viewer is no help to one that is not.
      if (!this.isSpilled(other) || this.isSpilled(this.ways[chosen - 1] ?? 0)) this.ways[chosen - 1] = other;
      return;
    }
  }

  /** Whether no unrouted appliance could change the answer: it is full of routed ones of two sites that hold and are not full. */
  #isSettled(): boolean {
    const { sites } = this.#view.columns;
    const boxes = this.#waysMax - (this.#isOrigin(this.ways[this.wayCount - 1] ?? 0) ? 1 : 0);
    if (this.wayCount < this.#waysMax) return false;
    const only = sites[this.appliances[this.ways[0] ?? 0] ?? 0];
    let spread = false;
    for (let at = 0; at < boxes; at++) {
      const slot = this.ways[at] ?? 0;
      if (this.#isOrigin(slot) || (this.#before[slot] ?? 0) >= packedRange) return false;
      spread ||= sites[this.appliances[slot] ?? 0] !== only;
    }
    return spread;
  }

  #isOrigin(slot: number): boolean {
    return this.#view.columns.isOrigin[this.appliances[slot] ?? 0] === 1;
  }
}
