import type { PlaybackNews } from './playback-slice.ts';

/**
 * Tells what a video element does. A stall is the time between `waiting` and `playing` that no start, seek or pause
 * explains, or that a library holds a starving video at rate 0, as Shaka does before the element itself would wait.
 * Returns what ends the watch; a stall that lasts until then is counted.
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
  const wait = () => {
    if (hasPlayed && !video.seeking) waitingSinceMs ??= performance.now();
  };
  const handlers: Record<string, () => void> = {
    waiting: wait,
    ratechange: () => {
      if (video.playbackRate === 0) wait();
      else if (video.readyState >= HTMLMediaElement.HAVE_FUTURE_DATA) settle();
    },
    seeking: forget,
    pause: forget,
    playing: () => {
      hasPlayed = true;
      if (video.playbackRate > 0) settle();
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
