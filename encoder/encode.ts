import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bundle } from '../common/contract/bundle.ts';
import type { SourceTags } from '../common/contract/titles.ts';
import type { Result } from '../common/core/result.ts';
import { coded, isCoded, systemCode } from '../common/runtime/errors.ts';
import { sniffContainer, sniffLengthBytes } from './core/container.ts';
import { outputNames } from './core/ffmpeg-arguments.ts';
import { boxHeaderLengthBytesMax, checkWhole, readBoxHeader, type Box } from './core/mp4-boxes.ts';
import { makeCaptions } from './caption-tracks.ts';
import { besides } from './core/captions.ts';
import { readLight } from './core/hdr-light.ts';
import { planEncode, type EncodePlan } from './core/plan.ts';
import { readSource, type Source } from './core/probe.ts';
import { sourceTags } from './core/tags.ts';
import type { Ffmpeg, InputFile } from './ffmpeg.ts';
import { buildFromPath, buildFromText, type BuiltFile } from './package/built-file.ts';
import {
  describeBundle,
  filesOf,
  type Packaged,
  type PackagedCaptions,
  type PackagedMedia,
} from './package/bundle.ts';
import { checkRenditions } from './package/check-renditions.ts';
import { indexMp4 } from './package/index-mp4.ts';
import { makeSidecars, type Sidecar } from './sidecar-captions.ts';
import { iframePlaylist, mediaPlaylist } from './package/media-playlist.ts';
import { countTiles, thumbnailsVtt } from './package/thumbnails.ts';

/** What is being done, and how much of the whole encode is done: 0 to 1. */
export type OnProgress = (progress: {
  stage: 'probing' | 'encoding' | 'packaging';
  fraction: number;
}) => void;

export interface EncodeRequest {
  /** Holds the source; receives everything that is made. */
  workDirectory: string;
  /** The source's name in it. */
  sourceName: string;
  ffmpeg: Ffmpeg;
  signal: AbortSignal;
  onProgress?: OnProgress;
  /** Called once the plan is known, before any work: the place to refuse for lack of space. */
  onPlan?: (plan: EncodePlan) => Promise<void>;
  /** Files of captions beside it: each takes the place of what is in the source in its language and kind. */
  sidecars?: readonly Sidecar[];
  /** Whether HDR sources get renditions in HDR beside those in SDR; they do where absent. */
  hdr?: boolean;
  /** Told of what is left out, and why; for people. */
  onNotice?: (notice: string) => void;
}

/** What was packaged: files to publish, the bundle last. */
interface Output {
  plan: EncodePlan;
  files: readonly BuiltFile[];
  bundleFile: BuiltFile;
  bundle: Bundle;
}

/** What came out. */
export interface Encoded extends Output {
  /** What the source's own tags tell of the title in it. */
  tags: SourceTags;
}

/** Shares of an encode's time, for the progress. */
const probedFraction = 0.02;
const encodedFraction = 0.96;

/**
 * Turns a source file into a bundle: sniff, probe, plan, encode in one ffmpeg, index, playlists, names.
 *
 * @throws SOURCE_EMPTY, SOURCE_NOT_VIDEO, SOURCE_NO_VIDEO, SOURCE_TRUNCATED, SOURCE_REFUSED: the source is at fault;
 * ENCODE_FAILED, ENCODE_LIMIT, DISK_FULL, FFMPEG_MISSING; ABORTED or the signal's reason
 */
export async function encodeSource(request: EncodeRequest): Promise<Encoded> {
  const { ffmpeg, signal, onProgress, workDirectory } = request;
  onProgress?.({ stage: 'probing', fraction: 0 });
  const input = await openSource(workDirectory, request.sourceName);
  const probe = await ffmpeg.probe(input, { signal });
  const spans = await ffmpeg.scan(input, { signal });
  const source = unwrap(readSource(probe, spans, input.demuxer));
  for (const notice of source.notices) request.onNotice?.(notice);
  const plan = await planWithHdr(source, input, request);
  await request.onPlan?.(plan);
  onProgress?.({ stage: 'encoding', fraction: probedFraction });
  await ffmpeg.encode(plan, input, {
    signal,
    onProgressS: (doneS) => {
      const share = Math.min(1, doneS / plan.durationS);
      onProgress?.({
        stage: 'encoding',
        fraction: probedFraction + share * (encodedFraction - probedFraction),
      });
    },
  });
  const posterName = await makeCover(plan, input, { ffmpeg, signal });
  const captions = await makeAllCaptions(plan, input, request);
  onProgress?.({ stage: 'packaging', fraction: encodedFraction });
  const output = await packageOutput(plan, { workDirectory, posterName, captions, signal });
  return { ...output, tags: sourceTags(probe) };
}

/** The plan: in HDR too where the source has it, it is wanted, and this ffmpeg makes it. */
async function planWithHdr(source: Source, input: InputFile, request: EncodeRequest): Promise<EncodePlan> {
  const { ffmpeg, signal, onNotice, hdr = true } = request;
  const { video } = source;
  if (video.keeps === undefined) return planEncode(source);
  const isMade = hdr && (await ffmpeg.encodesHdr({ signal }));
  if (hdr && !isMade) onNotice?.('HDR is left out: this ffmpeg has no libsvtav1; SDR alone is made');
  if (!isMade) return planEncode({ ...source, video: { ...video, keeps: undefined } });
  const told = await ffmpeg.firstSideData(video.index, input, { signal });
  return planEncode(source, { light: readLight([...told, ...(video.sideData ?? [])]) });
}

/** Those beside the source, then those in it of other languages and kinds. */
async function makeAllCaptions(
  plan: EncodePlan,
  input: InputFile,
  { ffmpeg, signal, onNotice, sidecars = [] }: EncodeRequest,
): Promise<PackagedCaptions[]> {
  const work = { ffmpeg, signal, onNotice };
  const { workDirectory } = input;
  const beside = await makeSidecars(sidecars, { ...work, workDirectory, durationS: plan.durationS });
  const { kept, notices } = besides(plan.captions, beside);
  for (const notice of notices) onNotice?.(notice);
  return [...beside, ...(await makeCaptions({ ...plan, captions: kept }, input, work))];
}

/** Looks at the bytes of a source before any of ffmpeg's code does. */
async function openSource(workDirectory: string, name: string): Promise<InputFile> {
  const handle = await open(join(workDirectory, name), 'r');
  try {
    const { size } = await handle.stat();
    const readAt = async (offset: number, length: number): Promise<Buffer> => {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, offset);
      return buffer.subarray(0, bytesRead);
    };
    const demuxer = unwrap(sniffContainer(await readAt(0, sniffLengthBytes)));
    if (demuxer === 'mov') unwrap(checkWhole(await topBoxes(readAt, size), size));
    return { workDirectory, name, demuxer };
  } finally {
    await handle.close();
  }
}

const boxesMax = 1_000_000;

async function topBoxes(
  readAt: (offset: number, length: number) => Promise<Buffer>,
  sizeBytes: number,
): Promise<Box[]> {
  const boxes: Box[] = [];
  let offset = 0;
  while (offset < sizeBytes && boxes.length < boxesMax) {
    const box = readBoxHeader(await readAt(offset, boxHeaderLengthBytesMax), offset);
    if (box === undefined) break;
    boxes.push(box);
    offset += box.sizeBytes;
  }
  return boxes;
}

function unwrap<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw coded(result.code, result.detail);
}

/** The name of the poster: the picture that the file brings along, else one of its own; anybody may have put a broken one there. */
async function makeCover(
  { cover }: EncodePlan,
  input: InputFile,
  { ffmpeg, signal }: Pick<EncodeRequest, 'ffmpeg' | 'signal'>,
): Promise<string> {
  if (cover === undefined) return outputNames.poster;
  try {
    await ffmpeg.cover(cover, input, { signal });
    const { size } = await stat(join(input.workDirectory, outputNames.cover));
    return size > 0 ? outputNames.cover : outputNames.poster;
  } catch (error) {
    if (isCoded(error, 'ENCODE_FAILED', 'ENCODE_LIMIT', 'SOURCE_NOT_VIDEO') || systemCode(error) === 'ENOENT')
      return outputNames.poster;
    throw error;
  }
}

interface PackageOptions {
  workDirectory: string;
  posterName: string;
  captions: readonly PackagedCaptions[];
  signal: AbortSignal;
}

async function packageOutput(
  planned: EncodePlan,
  { workDirectory, posterName, captions, signal }: PackageOptions,
): Promise<Output> {
  const at = (name: string): string => join(workDirectory, name);
  // One after the other: while it is read, the samples of a whole film are in memory.
  const video = await sequentially(planned.video.rungs, (_, index) => indexMp4(at(outputNames.video(index))));
  const plan = withFrames(planned, checkRenditions(planned, video));
  const packagedVideo = await sequentially(video, async (index, number) => {
    const media = await buildFromPath(at(outputNames.video(number)), { ext: 'mp4', role: 'video', signal });
    const refer = { file: media.file, ext: media.ext, index };
    const playlist = buildFromText(mediaPlaylist(refer), { ext: 'm3u8', role: 'playlist' });
    const iframes = buildFromText(iframePlaylist(refer), { ext: 'm3u8', role: 'iframe-playlist' });
    return { media, index, playlist, iframePlaylist: iframes };
  });
  const audio = await sequentially(plan.audio, (_, index) =>
    packageAudio(at(outputNames.audio(index)), signal),
  );
  const poster = await buildFromPath(at(posterName), { ext: 'jpg', role: 'poster', signal });
  const numbers = Array.from({ length: countTiles(plan).sprites }, (_, number) => number);
  const sprites = await sequentially(numbers, (number) =>
    buildFromPath(at(outputNames.sprite(number)), { ext: 'jpg', role: 'sprite', signal }),
  );
  const names = sprites.map(({ file, ext }) => `${file}.${ext}`);
  const vtt = buildFromText(thumbnailsVtt(plan, names), { ext: 'vtt', role: 'thumbnails' });
  return finish({ plan, video: packagedVideo, audio, captions, poster, sprites, vtt });
}

/** The plan's durations with the frames that there really are: a header may be off by a few. */
function withFrames(plan: EncodePlan, frameCount: number): EncodePlan {
  const { ticksPerFrame, timescale } = plan.video;
  return {
    ...plan,
    durationS: (frameCount * ticksPerFrame) / timescale,
    video: { ...plan.video, frameCount },
  };
}

async function packageAudio(path: string, signal: AbortSignal): Promise<PackagedMedia> {
  const index = await indexMp4(path);
  const media = await buildFromPath(path, { ext: 'm4a', role: 'audio', signal });
  const text = mediaPlaylist({ file: media.file, ext: media.ext, index });
  return { media, index, playlist: buildFromText(text, { ext: 'm3u8', role: 'playlist' }) };
}

function finish(packaged: Packaged): Output {
  const bundle = describeBundle(packaged);
  const bundleFile = buildFromText(JSON.stringify(bundle), { ext: 'json', role: 'bundle' });
  return { plan: packaged.plan, files: filesOf(packaged), bundleFile, bundle };
}

async function sequentially<T, R>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  for (const [index, item] of items.entries()) results.push(await work(item, index));
  return results;
}
