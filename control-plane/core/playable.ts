import type { Bundle } from '../../common/contract/bundle.ts';
import type { PlaybackCapabilities } from '../../common/contract/playback.ts';
import { ok, refused, type Result } from '../../common/core/result.ts';
import { decodes } from './codec-fit.ts';
import { linesOf } from './limit-height.ts';
import { rangeOf } from './video-range.ts';

/**
 * A bundle with those renditions only that a device plays: of its codecs, at most as high as it shows, HDR only where it says that it shows
 * it. All in SDR where it says nothing. Refuses PLAYBACK_UNSUPPORTED where no picture is left, or no sound of a title that has some: a
 * device that would play half of it would break off or be silent.
 */
export function playableOn(bundle: Bundle, device: PlaybackCapabilities = {}): Result<Bundle> {
  const { codecs: able, heightMax = Infinity, hdr = [] } = device;
  const isDecoded = ({ codecs }: { codecs: string }): boolean =>
    able === undefined || codecs.split(',').every((coded) => able.some((one) => decodes(one, coded.trim())));
  const ranges = new Set<string>(['sdr', ...hdr]);
  const video = bundle.video.filter(
    (one) => isDecoded(one) && linesOf(one) <= heightMax && ranges.has(rangeOf(one)),
  );
  const audio = bundle.audio.filter(isDecoded);
  if (video.length > 0 && (audio.length > 0 || bundle.audio.length === 0))
    return ok({ ...bundle, video, audio });
  const there = [
    ...bundle.video.map((one) => {
      const range = rangeOf(one);
      return `${one.codecs} (${linesOf(one)} lines${range === 'sdr' ? '' : `, ${range}`})`;
    }),
    ...bundle.audio.map((one) => one.codecs),
  ];
  const told = [...new Set(there)].join(', ');
  return refused('PLAYBACK_UNSUPPORTED', `there is ${told}; the device plays ${describe(device)}`);
}

function describe({ codecs, heightMax, hdr = [] }: PlaybackCapabilities): string {
  const lines = heightMax === undefined ? '' : ` up to ${heightMax} lines`;
  const ranges = ['sdr', ...hdr].join(', ');
  return `${codecs === undefined ? 'any codec' : codecs.join(', ') || 'no codec'}${lines} in ${ranges}`;
}
