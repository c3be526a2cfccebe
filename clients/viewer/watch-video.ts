import type { PlaybackNews } from './playback-slice.ts';

/**
 * Tells what a video element does. A stall is the time between `waiting` and `playing` that no start, seek or pause
 * explains. Returns what ends the watch; a stall that lasts until then is counted.
 */
export function watchVideo(video: HTMLVideoElement, tell: (news: PlaybackNews) => void): () => void {
  let hasPlayed = false;
  let waitingSinceMs: number | undefined;
  const forget = () => {
    waitingSinceMs = undefined;
  };
  const settle = () => {
    if (waitingSinceMs === undefined) return;
    tell({ kind: 'stalled', durationMs: performance.now() - waitingSinceMs });
    waitingSinceMs = undefined;
  };
  const handlers: Record<string, () => void> = {
    waiting: () => {
      if (hasPlayed && !video.seeking) waitingSinceMs ??= performance.now();
    },
    seeking: forget,
    pause: forget,
    playing: () => {
      hasPlayed = true;
      settle();
      tell({ kind: 'playing' });
    },
    ended: () => {
      forget();
      tell({ kind: 'ended' });
    },
  };
  for (const [name, handler] of Object.entries(handlers)) video.addEventListener(name, handler);
  return () => {
    settle();
    for (const [name, handler] of Object.entries(handlers)) video.removeEventListener(name, handler);
  };
}
