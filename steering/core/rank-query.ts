import type { Place } from '../../common/contract/documents.ts';
import type { HashPair } from '../../common/core/rendezvous.ts';
import { shardBits } from './bundle-shard.ts';
import { firstRowWith, type Holdings } from './holdings.ts';
import type { RankKey } from './rank-keys.ts';

/** Row of a query that asks for no bundle (DNS without a shard); -1 is one that the map does not know. */
export const anyBundle = -2;

/** What is known of the places of addresses, from outside of the map. */
export interface Places {
  /** Where an address is, if that is known, and for how many bits of it the answer is the same. */
  find(words: ArrayLike<number>, family: 4 | 6): { readonly place: Place | undefined; readonly bits: number };
}

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
  /** So many ways are all that is read of the answer: what comes behind them need not be found out. */
  firstWays: number;
  place: Place | undefined;
  /** Asked for the place of a client that no route reaches. */
  places: Places | undefined;
  /** Taken for the place of one of whom they know none. */
  placeUnknown: Place | undefined;
}

/** A query that can ask for shards, with room for their keys: so nothing is made for one. */
export interface ShardQuery extends RankQuery {
  readonly shardKey: { -readonly [lane in keyof HashPair]: number };
}

/** Asks for the homes of the first bundle of a shard; for no bundle where no shard is given, or none of it is known. */
export function askForShard(query: ShardQuery, holdings: Holdings, shard: number | undefined): void {
  const row = shard === undefined ? -1 : firstRowWith(holdings, { value: shard, bits: shardBits });
  query.row = row < 0 ? anyBundle : row;
  query.key = row < 0 ? undefined : query.shardKey;
  if (row < 0) return;
  query.shardKey.a = holdings.hashA[row] ?? 0;
  query.shardKey.b = holdings.hashB[row] ?? 0;
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

/** Before the first query: nothing is asked, of nobody. */
export const noQuery: RankQuery = {
  ...{ words: [], clientFamily: 4, family: 4, row: anyBundle, key: undefined },
  ...{ forBlock: false, firstWays: Infinity, place: undefined, places: undefined, placeUnknown: undefined },
};
export const noState: RankState = {
  conditions: new Uint8Array(),
  downFamilies: new Uint8Array(),
  kept: new Float64Array(),
};
