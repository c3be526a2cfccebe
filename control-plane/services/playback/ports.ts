import type { Bundle } from '../../../common/contract/bundle.ts';
import type { Pathway } from '../../../common/contract/steering.ts';
import type { LaunchForecast } from '../../../common/contract/titles.ts';
import type { DeliveryClaims } from '../../../common/core/tokens/delivery-token.ts';

/** A live title, as playback needs it. */
export interface PlaybackTitle {
  readonly titleId: string;
  readonly name: string;
  readonly bundleName: string;
  readonly bundle: Bundle;
  /** Every file, the bundle's own included. */
  readonly files: readonly { readonly file: string }[];
  /** How its launch is expected to go. */
  readonly forecast?: LaunchForecast | undefined;
}

/** A session that has begun. */
export interface BegunSession {
  readonly title: PlaybackTitle;
  /** The viewer's address. */
  readonly client: string;
}

/** What playback needs of the catalog. */
export interface PlaybackCatalog {
  /** A title that is live where the client is, by its address. Errors: TITLE_UNKNOWN, TITLE_NOT_LIVE, BUNDLE_INVALID. */
  playable(titleId: string, client: string): Promise<PlaybackTitle>;
  /** A bundle by its name. Errors: BUNDLE_INVALID. */
  bundle(name: string): Promise<Bundle>;
}

/** What playback needs of the registry: ready nodes that hold the whole bundle, origins included. */
export type ReadyHolders = (title: PlaybackTitle) => readonly Pathway[];

/** What playback needs of access. */
export interface PlaybackTokens {
  mintToken(claims: DeliveryClaims): string;
}

/** Steering, asked over the network: pathways for a client, best first. Throws where it cannot be asked. */
export type RankPathways = (
  query: { client: string; bundle: string },
  options: { signal: AbortSignal },
) => Promise<readonly Pathway[]>;

export interface PlaybackOptions {
  /** How players reach the control plane; asked when a session is made, since the port may be picked at start. */
  readonly publicUrl: () => string;
  /** How players reach steering; manifests name no steering without it. */
  readonly steeringUrl: string | undefined;
  readonly rankTimeoutMs: number;
  /** After steering did not answer in time it is left alone for so long. */
  readonly rankPauseMs: number;
  readonly pathwaysMax: number;
  /** How many sessions may be kept. */
  readonly sessionsMax: number;
}

/** Defaults of all but the URLs. */
export const playbackDefaults = {
  rankTimeoutMs: 1000,
  rankPauseMs: 2000,
  pathwaysMax: 4,
  sessionsMax: 200_000,
} as const satisfies Partial<PlaybackOptions>;
