import { join } from 'node:path';
import type { Blobs } from '../common/adapters/blobs/port.ts';
import type { EncodeJob, SourceTags } from '../common/contract/titles.ts';
import type { Clock } from '../common/runtime/clock.ts';
import { assert } from '../common/runtime/errors.ts';
import type { Log } from '../common/runtime/log.ts';
import { outputSizeBytesMax } from './core/plan.ts';
import { encodePicture } from './encode-picture.ts';
import { encodeSource } from './encode.ts';
import { fetchSource } from './fetch-source.ts';
import type { Ffmpeg } from './ffmpeg.ts';
import type { JobProgress } from './lease-keeper.ts';
import type { BuiltFile } from './package/built-file.ts';
import { publish, type Published } from './publish.ts';
import { sidecarsOf } from './sidecar-captions.ts';
import type { WorkDirectory } from './work-directory.ts';

/** What an encode needs besides the job itself. */
export interface Workshop {
  blobs: Blobs;
  ffmpeg: Ffmpeg;
  workDirectory: WorkDirectory;
  clock: Clock;
  log: Log;
  /** Whether HDR sources get renditions in HDR too; they do where absent. */
  hdr?: boolean;
}

/** What a finished job has to show. */
export interface JobResult extends Published {
  /** Name of the bundle's file. */
  bundle: string;
  durationMs: number;
  renditions: string[];
  encodeMs: number;
  /** What the source's own tags tell of the title. */
  tags: SourceTags;
  /** What was left out, and why; for people. */
  notices: string[];
}

/** Shares of a job's time, for the progress: fetching, then encoding, then publishing. */
const fetchedFraction = 0.02;
const encodedFraction = 0.97;
const sourceName = 'source';
const noticesMax = 40;
const noticeCharactersMax = 300;
/** More than the sizes of any picture have taken so far. */
const picturesSizeBytes = 64 * 1024 * 1024;

/**
 * Does one job from its source to the published bundle, in a directory of its own that is gone afterwards, whatever
 * happens.
 *
 * @throws what fetchSource, encodeSource and publish throw
 */
export async function runJob(
  job: EncodeJob,
  workshop: Workshop,
  { signal, onProgress }: { signal: AbortSignal; onProgress: (progress: JobProgress) => void },
): Promise<JobResult> {
  const { blobs, clock, workDirectory } = workshop;
  await workDirectory.requireFree(job.sizeBytes, 'the source');
  const directory = await workDirectory.create(job.jobId);
  try {
    onProgress({ stage: 'fetching', fraction: 0 });
    await fetchSource({
      ...{ blobs, signal, key: job.sourceKey, sizeBytes: job.sizeBytes, path: join(directory, sourceName) },
      onProgress: (fraction) => {
        onProgress({ stage: 'fetching', fraction: fraction * fetchedFraction });
      },
    });
    const startMs = clock.monotonicMs();
    const make = job.picture === undefined ? makeVideo : makePicture;
    const made = await make(job, workshop, { directory, signal, onProgress });
    const encodeMs = Math.round(clock.monotonicMs() - startMs);
    const published = await publish({
      ...{ blobs, signal, files: made.files, bundleFile: made.bundleFile },
      onProgress: (doneBytes, totalBytes) => {
        const share = doneBytes / totalBytes;
        onProgress({ stage: 'publishing', fraction: encodedFraction + share * (1 - encodedFraction) });
      },
    });
    const { bundleFile, durationMs, renditions, tags, notices } = made;
    return { ...published, bundle: bundleFile.file, durationMs, renditions, encodeMs, tags, notices };
  } finally {
    await workDirectory.remove(directory);
  }
}

/** What was made of a source, to be published. */
interface Made extends Pick<JobResult, 'durationMs' | 'renditions' | 'tags' | 'notices'> {
  files: readonly BuiltFile[];
  bundleFile: BuiltFile;
}

interface Making {
  directory: string;
  signal: AbortSignal;
  onProgress: (progress: JobProgress) => void;
}

async function makeVideo(
  job: EncodeJob,
  { blobs, ffmpeg, log, workDirectory, hdr = true }: Workshop,
  { directory, signal, onProgress }: Making,
): Promise<Made> {
  const { jobId } = job;
  const notices: string[] = [];
  const { files, bundleFile, bundle, tags } = await encodeSource({
    ...{ ffmpeg, signal, sourceName, workDirectory: directory, hdr },
    sidecars: sidecarsOf(job, blobs, signal),
    onProgress: ({ stage, fraction }) => {
      onProgress({ stage, fraction: fetchedFraction + fraction * (encodedFraction - fetchedFraction) });
    },
    onNotice: (notice) => {
      log.warn({ jobId, notice }, 'left out of the encode');
      if (notices.length < noticesMax) notices.push(notice.slice(0, noticeCharactersMax));
    },
    onPlan: async (plan) => {
      const renditions = plan.video.rungs.map((rung) => rung.id);
      log.info({ jobId, durationS: plan.durationS, renditions }, 'encode planned');
      // The caps are seldom reached: half of them is what usually suffices, and a full disk is a clean failure too.
      await workDirectory.requireFree(outputSizeBytesMax(plan) / 2, 'the encode');
    },
  });
  const renditions = bundle.video.map(({ id }) => id);
  return { files, bundleFile, tags, durationMs: bundle.durationMs, renditions, notices };
}

async function makePicture(
  { picture }: EncodeJob,
  { ffmpeg, workDirectory }: Workshop,
  { directory, signal, onProgress }: Making,
): Promise<Made> {
  assert(picture !== undefined, 'the job is of a picture');
  onProgress({ stage: 'encoding', fraction: fetchedFraction });
  await workDirectory.requireFree(picturesSizeBytes, 'the sizes of a picture');
  const encode = { picture, ffmpeg, signal, sourceName, workDirectory: directory };
  const { files, bundleFile } = await encodePicture(encode);
  return { files, bundleFile, tags: {}, durationMs: 0, renditions: [], notices: [] };
}
