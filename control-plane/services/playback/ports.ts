import type { Pathway } from '../../../common/contract/steering.ts';

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
  /** Who counts sessions is told of so many at the same time; those beside them are not counted. */
  readonly tellsMax: number;
}

/** Defaults of all but the URLs. */
export const playbackDefaults = {
  rankTimeoutMs: 1000,
  rankPauseMs: 2000,
  pathwaysMax: 4,
  sessionsMax: 200_000,
  tellsMax: 1024,
} as const satisfies Partial<PlaybackOptions>;
