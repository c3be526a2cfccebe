import type { PlaybackSession } from '../../../../common/contract/playback.ts';

/** The players that are measured: libraries, and what of a session they play. */
export const playerNames = ['hls.js', 'shaka HLS', 'shaka DASH', 'dash.js'] as const;
export type PlayerName = (typeof playerNames)[number];

/** `ours`: as the viewer sets them (dash.js, which it does not use, as docs/player.md advises); `stock`: as they come. */
export type PlayerSettings = 'ours' | 'stock';

/** What a page is told to play. */
export interface PlayerOrder {
  readonly name: PlayerName;
  readonly settings: PlayerSettings;
  readonly session: PlaybackSession;
}

/** How a playback goes. */
export interface PlayerState {
  readonly positionS: number;
  readonly ended: boolean;
  /** From the order to the first picture; undefined until then. */
  readonly startMs: number | undefined;
  /** How long it stood still by the video's own events. */
  readonly stallMs: number;
  /** How far it is behind one that had played without a stop since its first picture. */
  readonly behindMs: number;
  /** Why it ended early, if it did. */
  readonly fatal: string | undefined;
}

/** What the page offers to the test. */
export interface PlayerPage {
  startPlayer(order: PlayerOrder): void;
  readPlayer(): PlayerState;
  /** Its last state: a stall that goes on counts up to now. */
  leavePlayer(): PlayerState;
}
