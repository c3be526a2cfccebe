import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Blobs } from '../common/adapters/blobs/port.ts';
import { captionFileSizeBytesMax, type EncodeJob } from '../common/contract/titles.ts';
import { readCaptionFile, type CaptionText } from '../common/core/caption-text.ts';
import { ok, refused, type Result } from '../common/core/result.ts';
import { coded, isCoded } from '../common/runtime/errors.ts';
import { packCaptions, readOutput, type CaptionWork } from './caption-tracks.ts';
import { outputNames } from './core/ffmpeg-arguments.ts';
import { webVttOfSubRip } from './core/subrip.ts';
import type { PackagedCaptions } from './package/bundle.ts';

/** A file of captions beside the video that is encoded. */
export interface Sidecar extends Pick<PackagedCaptions, 'language' | 'kind'> {
  /** For people. */
  name: string;
  /** The file as it is. Errors: those of where it lies. */
  read(): Promise<Uint8Array>;
}

interface SidecarWork extends CaptionWork {
  workDirectory: string;
  durationS: number;
}

const assLineCharactersMax = 4000;

/** The files of captions of a job, read from the blobs when their turn comes. */
export function sidecarsOf({ captions = [] }: EncodeJob, blobs: Blobs, signal: AbortSignal): Sidecar[] {
  return captions.map(({ key, sizeBytes, ...of }) => ({
    ...of,
    read: async () => {
      const body = await blobs.read(key, { signal });
      if (body === undefined)
        throw coded('FILE_UNKNOWN', `${of.name} is no longer in the storage; add the title again`);
      const pieces: Uint8Array[] = [];
      let doneBytes = 0;
      for await (const piece of body as AsyncIterable<Uint8Array>) {
        doneBytes += piece.length;
        if (doneBytes > Math.min(sizeBytes, captionFileSizeBytesMax)) break;
        pieces.push(piece);
      }
      if (doneBytes !== sizeBytes)
        throw coded('FILE_CORRUPT', `the stored ${of.name} is not of ${sizeBytes} bytes`);
      return Buffer.concat(pieces);
    },
  }));
}

/**
 * Makes captions of the files beside a video, one after another, as `makeCaptions` does of those in it. One that cannot be read is left out
 * with a notice. Throws what is no fault of theirs: DISK_FULL, FFMPEG_MISSING, FILE_UNKNOWN, FILE_CORRUPT, the blobs' errors, the signal's reason.
 */
export async function makeSidecars(
  sidecars: readonly Sidecar[],
  work: SidecarWork,
): Promise<PackagedCaptions[]> {
  const made: PackagedCaptions[] = [];
  for (const [number, sidecar] of sidecars.entries()) {
    const packed = await makeSidecar(sidecar, number, work);
    if (typeof packed !== 'string') made.push(packed);
    else work.onNotice?.(`captions ${sidecar.name} are left out: ${packed}`);
  }
  return made;
}

/** The captions, or why there are none. */
async function makeSidecar(
  sidecar: Sidecar,
  number: number,
  work: SidecarWork,
): Promise<PackagedCaptions | string> {
  work.signal.throwIfAborted();
  const { language, kind } = sidecar;
  const text = readCaptionFile(await sidecar.read(), language);
  if (!text.ok) return `${text.code}: ${text.detail}`;
  const webVtt = await webVttOf(text.value, number, work);
  if (!webVtt.ok) return `CAPTIONS_INVALID: ${webVtt.detail}`;
  const packed = packCaptions(webVtt.value, { language, kind, durationS: work.durationS });
  return packed.ok ? packed.value : `CAPTIONS_INVALID: ${packed.detail}`;
}

/**
 * ASS is ffmpeg's to read. The others are read here: ffmpeg 5.1 loses all cues behind a `STYLE` of WebVTT, and takes a minute for one
 * of some megabytes.
 */
async function webVttOf(
  { format, text }: CaptionText,
  number: number,
  { workDirectory, ffmpeg, signal }: SidecarWork,
): Promise<Result<string>> {
  if (format === 'webvtt') return ok(text);
  if (format === 'srt') return ok(webVttOfSubRip(text));
  // Each line is a cue.
  const lines = text.split(/\r\n|\r|\n/).map((line) => line.slice(0, assLineCharactersMax));
  await writeNew(join(workDirectory, outputNames.sidecarSource(number)), lines.join('\n'));
  try {
    await ffmpeg.sidecar({ workDirectory, number }, { signal });
  } catch (error) {
    if (!isCoded(error, 'ENCODE_FAILED', 'ENCODE_LIMIT', 'SOURCE_NOT_VIDEO')) throw error;
    return refused('CAPTIONS_INVALID', `ffmpeg cannot read them: ${error.detail ?? error.message}`);
  }
  return ok(await readOutput(join(workDirectory, outputNames.sidecar(number))));
}

/** By the handle: the directory is that of ffmpeg's user, who could put a link in the file's place. */
async function writeNew(path: string, text: string): Promise<void> {
  const handle = await open(path, 'wx', 0o644);
  try {
    await handle.chmod(0o644);
    await handle.writeFile(text);
  } finally {
    await handle.close();
  }
}
