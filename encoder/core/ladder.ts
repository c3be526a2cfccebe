import type { VideoRange } from '../../common/contract/bundle.ts';

/** Width and height in pixels. */
export interface Size {
  width: number;
  height: number;
}

/** One step of the ladder: a rendition to make. */
export interface Rung extends Size {
  /** `720p`: the name of the box that it fills, or its own shorter side. */
  id: string;
  /** Bits per second that the decoder's buffer is filled at, at most. */
  bitsPerSecondMax: number;
  /** SDR is H.264 of 8 bits, the others AV1 of 10. */
  videoRange: VideoRange;
}

/** Landscape boxes; upright pictures use them turned. */
const boxes: readonly Size[] = [
  { width: 1920, height: 1080 },
  { width: 1280, height: 720 },
  { width: 960, height: 540 },
  { width: 640, height: 360 },
  { width: 426, height: 240 },
];

/** A rung with more than this share of the pixels of the one above is not worth its bytes. */
const pixelShareMax = 0.7;

/**
 * The ladder for a picture of that size (as displayed, square pixels): as large as the source but never larger, at most
 * 1080p, then each smaller box it fits. A source smaller than the smallest box gets its own size. All sizes are even,
 * as 4:2:0 needs them.
 */
export function planLadder(source: Size, frameRateHz: number): Rung[] {
  const rungs: Rung[] = [];
  for (const box of boxes) {
    const size = fitInto(source, turnLike(box, source));
    const above = rungs.at(-1);
    if (above !== undefined && pixels(size) > pixels(above) * pixelShareMax) continue;
    const id = nameOf(size, { box, taken: rungs.map((rung) => rung.id) });
    const bitsPerSecondMax = bitsPerSecondMaxOf(size, frameRateHz);
    rungs.push({ ...size, id, bitsPerSecondMax, videoRange: 'sdr' });
  }
  return rungs;
}

// Players stay within the range that they began in: with the two on top alone a slow line would stand still in HDR.
const hdrSteps = [0, 1, 3];
/** SVT-AV1 1.4 takes no smaller picture. */
const hdrSideMin = 64;
/** AV1 shows as much with so much of the bits of H.264 as these presets make it. */
const hdrBitsShare = 0.6;

/** What is made in HDR beside a ladder: the two on top and the one two further down. */
export function planHdrLadder(ladder: readonly Rung[], videoRange: 'pq' | 'hlg'): Rung[] {
  return hdrSteps
    .flatMap((step) => ladder[step] ?? [])
    .filter(({ width, height }) => Math.min(width, height) >= hdrSideMin)
    .map((rung) => {
      const bitsPerSecondMax = Math.round((rung.bitsPerSecondMax * hdrBitsShare) / 1000) * 1000;
      return { ...rung, id: `${rung.id}-${videoRange}`, bitsPerSecondMax, videoRange };
    });
}

/** The largest even size with the source's proportions that is neither above the source nor outside the box. */
export function fitInto(source: Size, box: Size): Size {
  const scale = Math.min(1, box.width / source.width, box.height / source.height);
  return {
    width: toEven(source.width * scale, Math.min(source.width, box.width)),
    height: toEven(source.height * scale, Math.min(source.height, box.height)),
  };
}

/** The box, standing upright if the picture does. */
export function turnLike(box: Size, picture: Size): Size {
  return picture.height > picture.width ? { width: box.height, height: box.width } : box;
}

function toEven(value: number, max: number): number {
  const nearest = 2 * Math.round(value / 2);
  return Math.max(2, nearest > max ? 2 * Math.floor(max / 2) : nearest);
}

function pixels(size: Size): number {
  return size.width * size.height;
}

/** A picture of odd proportions may be as high itself as the box below that it fills: the second is then named otherwise. */
function nameOf(size: Size, { box, taken }: { box: Size; taken: readonly string[] }): string {
  const long = Math.max(size.width, size.height);
  const short = Math.min(size.width, size.height);
  const fills = long === box.width || short === box.height;
  const names = [...(fills ? [`${box.height}p`] : []), `${short}p`];
  return names.find((name) => !taken.includes(name)) ?? `${size.width}x${size.height}`;
}

/**
 * Bits needed grow with the pixels to the power of 0.75 (the rule of thumb of Ben Waggoner's bit rate ladders); the
 * factor makes it 6 Mb/s at 1080p. High frame rates cost half as much again.
 */
function bitsPerSecondMaxOf(size: Size, frameRateHz: number): number {
  const bits = 110 * pixels(size) ** 0.75 * (frameRateHz > 31 ? 1.5 : 1);
  return Math.max(64_000, Math.round(bits / 1000) * 1000);
}
