import { join } from 'node:path';
import { ok, type Result } from '../common/core/result.ts';
import { isCoded, type CodedError } from '../common/runtime/errors.ts';
import { captionLimits, cleanCaptions } from './core/captions.ts';
import { outputNames } from './core/ffmpeg-arguments.ts';
import type { EncodePlan } from './core/plan.ts';
import type { Ffmpeg, InputFile } from './ffmpeg.ts';
import { buildFromText } from './package/built-file.ts';
import type { PackagedCaptions } from './package/bundle.ts';
import { captionsPlaylist } from './package/media-playlist.ts';
import { openOutput } from './package/output-file.ts';

/** What captions are made with. */
export interface CaptionWork {
  ffmpeg: Ffmpeg;
  signal: AbortSignal;
  /** Told of captions that are left out, and why. */
  onNotice?: ((notice: string) => void) | undefined;
}

/**
 * Makes the captions that were planned, all in one reading of the source. What cannot be read is left out with a notice: a film is not
 * held back by its captions. Throws what is no fault of theirs: DISK_FULL, FFMPEG_MISSING, the signal's reason.
 */
export async function makeCaptions(
  plan: EncodePlan,
  input: InputFile,
  work: CaptionWork,
): Promise<PackagedCaptions[]> {
  const { captions } = plan;
  const numbers = captions.map((_, index) => index);
  // One that fails takes the others of its run along: then each is read by itself.
  if (numbers.length === 0 || (await run(numbers, undefined)))
    return await packAll(numbers, { plan, input, work });
  const made: number[] = [];
  for (const number of numbers) if (await run([number], work.onNotice)) made.push(number);
  return await packAll(made, { plan, input, work });

  async function run(wanted: readonly number[], notice: CaptionWork['onNotice']): Promise<boolean> {
    try {
      await work.ffmpeg.captions({ captions, wanted }, input, { signal: work.signal });
      return true;
    } catch (error) {
      if (!isTheirFault(error)) throw error;
      notice?.(`captions ${wanted.join()} cannot be read: ${error.message}`);
      return false;
    }
  }
}

function isTheirFault(error: unknown): error is CodedError {
  return isCoded(error, 'ENCODE_FAILED', 'ENCODE_LIMIT', 'SOURCE_NOT_VIDEO');
}

async function packAll(
  numbers: readonly number[],
  { plan, input, work }: { plan: EncodePlan; input: InputFile; work: CaptionWork },
): Promise<PackagedCaptions[]> {
  const packaged: PackagedCaptions[] = [];
  for (const number of numbers) {
    const track = plan.captions[number];
    if (track === undefined) continue;
    const { language, kind } = track;
    const output = await readOutput(join(input.workDirectory, outputNames.captions(number)));
    const packed = packCaptions(output, { language, kind, durationS: plan.durationS });
    if (packed.ok) packaged.push(packed.value);
    else work.onNotice?.(`captions in ${language} (${kind}) are left out: ${packed.detail}`);
  }
  return packaged;
}

/** Files of captions from WebVTT that ffmpeg wrote. Refuses what `cleanCaptions` refuses. */
export function packCaptions(
  output: string,
  { language, kind, durationS }: Pick<PackagedCaptions, 'language' | 'kind'> & { durationS: number },
): Result<PackagedCaptions> {
  const cleaned = cleanCaptions(output, durationS);
  if (!cleaned.ok) return cleaned;
  const media = buildFromText(cleaned.value, { ext: 'vtt', role: 'captions' });
  const text = captionsPlaylist(`${media.file}.vtt`, durationS);
  return ok({ language, kind, media, playlist: buildFromText(text, { ext: 'm3u8', role: 'playlist' }) });
}

/** What ffmpeg wrote; of more than the limit just enough that it is refused. */
export async function readOutput(path: string): Promise<string> {
  const { handle, sizeBytes } = await openOutput(path);
  try {
    const buffer = Buffer.alloc(Math.min(sizeBytes, captionLimits.sizeBytes + 1));
    let filled = 0;
    while (filled < buffer.length) {
      const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled, filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return buffer.toString('utf8', 0, filled);
  } finally {
    await handle.close();
  }
}
