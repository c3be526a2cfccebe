import type { PlaybackCapabilities } from '../../common/contract/playback.ts';

// ITU-T H.273's numbers of what HDR renditions are coded in: AV1 of 10 bits in BT.2020, up to 1080p.
const transfers = [
  ['pq', 16],
  ['hlg', 18],
] as const;

/** What this browser on this screen shows beside SDR, for a playback session; nothing where it is not said. */
export function deviceCapabilities(): PlaybackCapabilities {
  const isBright = ['dynamic-range', 'video-dynamic-range'].some(
    (feature) => window.matchMedia(`(${feature}: high)`).matches,
  );
  if (!isBright || !('MediaSource' in window)) return {};
  const hdr = transfers
    .filter(([, transfer]) =>
      MediaSource.isTypeSupported(`video/mp4; codecs="av01.0.08M.10.0.111.09.${transfer}.09.0"`),
    )
    .map(([range]) => range);
  return { hdr };
}
