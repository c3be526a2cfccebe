import { hertzOf } from '../core/frame-rate.ts';
import type { EncodePlan } from '../core/plan.ts';

/** How many thumbnails and how many sprites an encode has. */
export function countTiles(plan: EncodePlan): { tiles: number; sprites: number } {
  const tiles = Math.ceil(plan.video.frameCount / plan.tiles.intervalFrames);
  return { tiles, sprites: Math.ceil(tiles / (plan.tiles.columns * plan.tiles.rows)) };
}

/**
 * The WebVTT file of the thumbnails: one cue each, its text the sprite with the tile's place in it as a media fragment
 * (`#xywh=`, W3C Media Fragments §4.2.2).
 *
 * @param sprites the sprites' names, relative
 */
export function thumbnailsVtt(plan: EncodePlan, sprites: readonly string[]): string {
  const { columns, rows, width, height, intervalFrames } = plan.tiles;
  const hz = hertzOf(plan.video.frameRate);
  const cues: string[] = [];
  for (let tile = 0; tile < countTiles(plan).tiles; tile++) {
    const startS = (tile * intervalFrames) / hz;
    const endS = Math.min(((tile + 1) * intervalFrames) / hz, plan.durationS);
    const place = tile % (columns * rows);
    const x = (place % columns) * width;
    const y = Math.floor(place / columns) * height;
    const sprite = sprites[Math.floor(tile / (columns * rows))] ?? '';
    cues.push(`${timestamp(startS)} --> ${timestamp(endS)}\n${sprite}#xywh=${x},${y},${width},${height}\n`);
  }
  return `WEBVTT\n\n${cues.join('\n')}`;
}

/** WebVTT §4.1: hours:minutes:seconds.milliseconds. */
function timestamp(timeS: number): string {
  const ms = Math.round(timeS * 1000);
  const pad = (value: number, length = 2): string => String(Math.floor(value)).padStart(length, '0');
  return `${pad(ms / 3_600_000)}:${pad((ms / 60_000) % 60)}:${pad((ms / 1000) % 60)}.${pad(ms % 1000, 3)}`;
}
