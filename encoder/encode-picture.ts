import { open, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArtworkBundle, ArtworkFile, ArtworkKind } from '../common/contract/artwork.ts';
import { pictureSizeBytesMax, readPicture } from '../common/core/picture.ts';
import { coded, isCoded, valueOf } from '../common/runtime/errors.ts';
import { planPicture, type PicturePlan } from './core/picture-plan.ts';
import type { Ffmpeg } from './ffmpeg.ts';
import { buildFromPath, buildFromText, type BuiltFile } from './package/built-file.ts';

export interface EncodePictureRequest {
  /** Holds the source; receives everything that is made. */
  workDirectory: string;
  /** The source's name in it. */
  sourceName: string;
  picture: { artwork: string; kind: ArtworkKind };
  ffmpeg: Ffmpeg;
  signal: AbortSignal;
}

/** What came out: files to publish, the bundle last. */
export interface EncodedPicture {
  files: readonly BuiltFile[];
  bundleFile: BuiltFile;
  bundle: ArtworkBundle;
}

const cleanName = 'picture';

/**
 * Turns a picture into a bundle of its sizes. A decoder meets only what is the picture; what comes out is encoded anew, so nothing else
 * of the source goes on.
 *
 * @throws SOURCE_EMPTY, SOURCE_NOT_PICTURE, SOURCE_TRUNCATED, SOURCE_REFUSED: the source is at fault; ENCODE_FAILED, ENCODE_LIMIT,
 * DISK_FULL, FFMPEG_MISSING; ABORTED or the signal's reason
 */
export async function encodePicture(request: EncodePictureRequest): Promise<EncodedPicture> {
  const { ffmpeg, signal, workDirectory, sourceName, picture } = request;
  const source = join(workDirectory, sourceName);
  const { size } = await stat(source);
  if (size > pictureSizeBytesMax)
    throw coded('SOURCE_REFUSED', `it has ${size} bytes; at most ${pictureSizeBytesMax} are taken`);
  const read = valueOf(readPicture(await readFile(source)));
  await rm(source);
  await writeForFfmpeg(join(workDirectory, cleanName), read.clean());
  const plan = planPicture(read, { kind: picture.kind, encoders: await ffmpeg.pictureEncoders({ signal }) });
  await ffmpeg.picture(plan, { workDirectory, name: cleanName }, { signal }).catch((error: unknown) => {
    throw isCoded(error, 'ENCODE_FAILED', 'SOURCE_NOT_VIDEO')
      ? coded('SOURCE_NOT_PICTURE', { detail: error.detail ?? 'it cannot be decoded', cause: error })
      : error;
  });
  return packagePicture(plan, request);
}

/** By the handle: the directory is of ffmpeg's user, who could put a link in the file's place. */
async function writeForFfmpeg(path: string, bytes: Buffer): Promise<void> {
  const handle = await open(path, 'wx', 0o644);
  try {
    await handle.chmod(0o644);
    await handle.writeFile(bytes);
  } finally {
    await handle.close();
  }
}

async function packagePicture(
  plan: PicturePlan,
  { workDirectory, picture, signal }: EncodePictureRequest,
): Promise<EncodedPicture> {
  const files: BuiltFile[] = [];
  const listed = new Map<string, ArtworkFile>();
  for (const { name, ext, width, height } of plan.files) {
    const built = await buildFromPath(join(workDirectory, name), { ext, role: 'picture', signal });
    if (built.sizeBytes === 0) throw coded('ENCODE_FAILED', `ffmpeg’s output ${name} is empty`);
    files.push(built);
    listed.set(built.file, { file: built.file, ext, sizeBytes: built.sizeBytes, width, height });
  }
  const bundle: ArtworkBundle = { version: 1, artwork: picture.artwork, files: [...listed.values()] };
  return {
    files,
    bundle,
    bundleFile: buildFromText(JSON.stringify(bundle), { ext: 'json', role: 'bundle' }),
  };
}
