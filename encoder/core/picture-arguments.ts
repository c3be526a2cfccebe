import { picturePixelsMax } from '../../common/core/picture.ts';
import type { PicturePlan, PlannedPicture } from './picture-plan.ts';

/** What turns a picture that is stored in each of EXIF's orientations. */
const turns: Readonly<Record<PicturePlan['orientation'], readonly string[]>> = {
  1: [],
  2: ['hflip'],
  3: ['hflip', 'vflip'],
  4: ['vflip'],
  5: ['transpose=0'],
  6: ['transpose=1'],
  7: ['transpose=3'],
  8: ['transpose=2'],
};

/** All sizes and formats of a picture in one command, one decode. What is broken in the middle is an error. */
export function pictureArguments(plan: PicturePlan, input: { name: string }): string[] {
  return [
    ...['-hide_banner', '-loglevel', 'error', '-nostdin', '-y', '-xerror', '-noautorotate'],
    ...['-threads', '1', '-filter_complex_threads', '1', '-max_pixels', String(picturePixelsMax)],
    ...['-err_detect', 'crccheck+bitstream+buffer+explode', '-protocol_whitelist', 'file,pipe'],
    ...['-f', plan.demuxer, '-i', `file:${input.name}`, '-filter_complex', filterGraph(plan)],
    ...plan.files.flatMap((file, index) => output(file, index)),
  ];
}

function filterGraph({ orientation, keepsAlpha, files }: PicturePlan): string {
  const names = files.map((_, index) => `[s${index}]`).join('');
  // Laid on black: what is hidden by transparency is not to be seen in what has none.
  const opaque = keepsAlpha ? ['format=rgba'] : ['format=rgba', 'premultiply=inplace=1', 'format=rgb24'];
  const prepared = [...turns[orientation], ...opaque, `split=${files.length}`].join(',');
  return [`[0:v:0]${prepared}${names}`, ...files.map(branch)].join(';');
}

function branch({ width, height, ext }: PlannedPicture, index: number): string {
  const full = ext === 'jpg' ? ':out_range=pc' : '';
  const format = { jpg: 'yuvj420p', png: 'rgba', webp: 'bgra', avif: 'yuv420p' }[ext];
  return `[s${index}]scale=${width}:${height}:flags=lanczos${full},format=${format},setsar=1[v${index}]`;
}

// What the scaler makes of RGB, told: whoever is not told guesses.
const avifColours = ['-colorspace', 'smpte170m', '-color_primaries', 'bt709', '-color_trc', 'iec61966-2-1'];

const codecs: Readonly<Record<PlannedPicture['ext'], readonly string[]>> = {
  jpg: ['-c:v', 'mjpeg', '-q:v', '3'],
  png: ['-c:v', 'png', '-pred', 'mixed'],
  webp: ['-c:v', 'libwebp', '-quality', '82', '-compression_level', '4'],
  avif: ['-c:v', 'libaom-av1', '-still-picture', '1', '-crf', '28', '-cpu-used', '8', ...avifColours],
};

function output({ ext, name }: PlannedPicture, index: number): string[] {
  const muxer = ext === 'avif' ? ['-f', 'avif'] : ['-update', '1', '-f', 'image2'];
  return [
    ...['-map', `[v${index}]`, '-frames:v', '1', ...codecs[ext], '-threads:v', '1'],
    // Nothing of the source's metadata is passed on, and nothing that names the tool: same source, same bytes, same names.
    ...['-map_metadata', '-1', '-flags:v', '+bitexact', '-fflags', '+bitexact', ...muxer, name],
  ];
}
