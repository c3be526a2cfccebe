import type { PlaybackSession } from '../../../common/contract/playback.ts';
import type { PlaybackNews } from '../playback-slice.ts';
import type { TrackChoice } from '../track-choice.ts';

/** A running playback; ending it frees everything. */
export interface Engine {
  /** Plays the sound and shows the captions of another choice. */
  choose(choice: TrackChoice): void;
  stop(): void;
}

/** What an engine plays with. */
export interface EngineOptions {
  readonly video: HTMLVideoElement;
  readonly session: PlaybackSession;
  /** How much to buffer ahead. */
  readonly bufferS: number;
  /** Where to begin. */
  readonly startS: number;
  /** What is to be heard and read at first. */
  readonly choice: TrackChoice;
  readonly tell: (news: PlaybackNews) => void;
}

/** How much of what was played stays in memory: enough to go back a little, the same for an hour as for a night. */
export const backBufferS = 30;

const clockMs = 250;

/** Tells buffer, throughput and position four times a second until called. */
export function startClock({ video, tell }: EngineOptions, throughputBps: () => number): () => void {
  const timer = setInterval(() => {
    const measured = throughputBps();
    tell({
      kind: 'clock',
      bufferS: bufferedAheadS(video),
      throughputBps: Number.isFinite(measured) ? measured : 0,
      positionMs: video.currentTime * 1000,
    });
  }, clockMs);
  return () => {
    clearInterval(timer);
  };
}

/** Names a rendition: its picture, its bits per second, and its range (`PQ`, `HLG`) where that is not SDR. */
export function renditionText(picture: {
  width: number;
  height: number;
  bitrate: number;
  range: string | null | undefined;
}): string {
  const { width, height, bitrate, range } = picture;
  const hdr = range === 'PQ' || range === 'HLG' ? `, HDR (${range})` : '';
  return `${width}×${height}, ${Math.round(bitrate / 1000)} kb/s${hdr}`;
}

/** Seconds buffered ahead of the position. */
function bufferedAheadS({ buffered, currentTime }: HTMLVideoElement): number {
  for (let i = 0; i < buffered.length; i++) {
    // A position at the very start of a range may lie a frame before it.
    if (buffered.start(i) <= currentTime + 0.1 && currentTime <= buffered.end(i))
      return buffered.end(i) - currentTime;
  }
  return 0;
}
