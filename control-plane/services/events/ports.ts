import type { KnownNode } from '../../../common/runtime/node-proofs.ts';

/** Who may say what was served: the enrolled nodes, by their keys. */
export interface ServedNodes {
  findNode(kid: string): Pick<KnownNode, 'nodeId' | 'publicKey' | 'revoked'> | undefined;
}

/** A bundle as popularity sees it: its files with their sizes. */
export interface SizedBundle {
  readonly files: readonly { readonly file: string; readonly sizeBytes: number }[];
}

/** Bounds of the intake and of what is learned from it. */
export interface EventsOptions {
  /** How many ids are remembered to know a repetition by. */
  readonly knownIdsMax: number;
  /** After a change of popularity, how long more of them are awaited before others hear of it. */
  readonly changeDelayMs: number;
  readonly halfLifeMs: number;
  /** Of how many files a weight is kept; what a box says of others is passed over. */
  readonly weightsMax: number;
}

/** Defaults of all of them. */
export const eventsDefaults = {
  knownIdsMax: 100_000,
  changeDelayMs: 5000,
  halfLifeMs: 3 * 24 * 3_600_000,
  weightsMax: 2_000_000,
} as const satisfies EventsOptions;
