import type { PlaybackSession, PlayerEvent } from '../../common/contract/playback.ts';
import type { PlaybackNews, PlaybackState } from './playback-slice.ts';

/** What of a playback is reported, before it gets its id and time. */
export type ReportedEvent = Omit<PlayerEvent, 'id' | 'timeMs'>;

// The contract's bounds; a batch with one event beyond them is refused as a whole.
const renditionLengthMax = 64;
const detailLengthMax = 200;
const positionMsMax = 864_000_000;
const stallMsMax = 86_400_000;
const progressEveryMs = 10_000;
// Of how long it took to start, and of what was played between two events.
const toldMsMax = 600_000;
// A larger step of the position is a jump.
const playedStepMsMax = 5000;

/**
 * Decides what of the news the control plane is told: what has changed between two states, once, and how far the
 * playback got, every 10 s of it. Keeps the position of its last progress.
 */
export class PlayerEvents {
  readonly #pathways: ReadonlySet<string>;
  #progressMs = 0;
  #hasPlayed = false;
  readonly #nowMs: () => number;
  readonly #wishedAtMs: number;
  #clockMs: number | undefined;
  #playedMs = 0;

  /** It is made when the viewer wishes to watch; `nowMs`: any clock that only goes forward. */
  constructor(session: Pick<PlaybackSession, 'pathways'>, nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#wishedAtMs = nowMs();
    this.#pathways = new Set(session.pathways.map(({ id }) => id));
  }

  /** The event that some news make, if any. `before` and `after`: the states around them. */
  of(news: PlaybackNews, before: PlaybackState, after: PlaybackState): ReportedEvent | undefined {
    const at = this.#at(after);
    switch (news.kind) {
      case 'playing':
        if (this.#hasPlayed) return undefined;
        this.#hasPlayed = true;
        return { type: 'play', startMs: whole(this.#nowMs() - this.#wishedAtMs, toldMsMax), ...at };
      case 'served':
        return before.servedBy === after.servedBy ? undefined : { type: 'pathway', ...at };
      case 'rendition':
        if (before.rendition === after.rendition) return undefined;
        return { type: 'rendition', rendition: news.text.slice(0, renditionLengthMax), ...at };
      case 'stalled':
        return { type: 'stall', stallMs: whole(news.durationMs, stallMsMax), ...this.#takePlayed(), ...at };
      case 'fatal':
        return { type: 'error', detail: news.text.slice(0, detailLengthMax), ...at };
      case 'ended':
        return before.ended ? undefined : { type: 'end', ...this.#takePlayed(), ...at };
      case 'clock':
        this.#notePlayed(news.positionMs);
        // Either way: somebody may have gone back.
        if (Math.abs(news.positionMs - this.#progressMs) < progressEveryMs) return undefined;
        this.#progressMs = news.positionMs;
        return {
          type: 'progress',
          throughputBps: whole(news.throughputBps, Number.MAX_SAFE_INTEGER),
          ...this.#takePlayed(),
          ...at,
        };
      case 'log':
        return undefined;
    }
  }

  #notePlayed(positionMs: number): void {
    const stepMs = positionMs - (this.#clockMs ?? positionMs);
    this.#clockMs = positionMs;
    if (stepMs > 0 && stepMs <= playedStepMsMax) this.#playedMs += stepMs;
  }

  /** How long it played since the last event that told this; absent for no time. */
  #takePlayed(): Pick<PlayerEvent, 'playedMs'> {
    const playedMs = whole(this.#playedMs, toldMsMax);
    this.#playedMs = 0;
    return playedMs === 0 ? {} : { playedMs };
  }

  #at({ positionMs, servedBy }: PlaybackState): Pick<PlayerEvent, 'positionMs' | 'pathway'> {
    const isKnown = servedBy !== undefined && this.#pathways.has(servedBy);
    return { positionMs: whole(positionMs, positionMsMax), ...(isKnown && { pathway: servedBy }) };
  }
}

function whole(value: number, max: number): number {
  return Number.isFinite(value) ? Math.min(max, Math.max(0, Math.round(value))) : 0;
}
