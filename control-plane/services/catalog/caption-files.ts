import { captionFileSizeBytesMax, type CaptionFile } from '../../../common/contract/titles.ts';
import { languageOf } from '../../../common/core/language.ts';
import { coded, toCoded, valueOf } from '../../../common/runtime/errors.ts';
import { openSource } from './ingest-path.ts';
import type { TitleCaptions } from './records.ts';
import type { Uploads } from './uploads.ts';

const nameCharactersMax = 200;

/** The key in blobs of one of a title's files of captions. */
export function captionsKey(titleId: string, at: number): string {
  return `sources/${titleId}-captions-${at}`;
}

/** The keys of all of them. */
export function captionKeys(titleId: string, captions: readonly unknown[] = []): string[] {
  return captions.map((_, at) => captionsKey(titleId, at));
}

export interface CaptionFilesDependencies {
  readonly uploads: Pick<Uploads, 'claim' | 'release' | 'view'>;
  readonly options: { readonly ingestRoots: readonly string[] };
}

/**
 * Takes files of captions for a title, their uploads being claimed. Errors of the first that cannot be taken, then none is: INVALID (not
 * one of `uploadId` and `path`, two of one language and kind), those of uploads and paths, UPLOAD_TOO_LARGE.
 */
export async function takeCaptions(
  { uploads, options }: CaptionFilesDependencies,
  titleId: string,
  files: readonly CaptionFile[] = [],
): Promise<TitleCaptions[]> {
  const taken: TitleCaptions[] = [];
  try {
    for (const file of files) {
      const as = readAs(file, taken);
      const { uploadId, path } = file;
      if (uploadId !== undefined) {
        const { sizeBytes, filename } = await uploads.claim(uploadId, titleId);
        taken.push({ ...as, source: { kind: 'upload', uploadId }, sizeBytes, name: filename });
        checkSize(filename, sizeBytes);
      } else {
        const sizeBytes = await sizeOf(path ?? '', options.ingestRoots);
        taken.push({
          ...as,
          source: { kind: 'path', path: path ?? '' },
          sizeBytes,
          name: nameOf(path ?? ''),
        });
      }
    }
    return taken;
  } catch (error) {
    await releaseCaptions(uploads, taken);
    throw error;
  }
}

/** Gives uploads back whose title could not be made. */
export async function releaseCaptions(
  uploads: Pick<Uploads, 'release'>,
  captions: readonly TitleCaptions[] = [],
): Promise<void> {
  for (const { source } of captions) if (source.kind === 'upload') await uploads.release(source.uploadId);
}

/** Those files that can be taken, and what is wrong with the first of the others. Errors: those of the store. */
export async function usableCaptions(
  { uploads, options }: CaptionFilesDependencies,
  files: readonly CaptionFile[],
): Promise<{ usable: CaptionFile[]; wrong?: { code: string; detail: string } }> {
  const usable: CaptionFile[] = [];
  const taken: Pick<TitleCaptions, 'language' | 'kind'>[] = [];
  let wrong: { code: string; detail: string } | undefined;
  for (const file of files) {
    try {
      const as = readAs(file, taken);
      if (file.uploadId === undefined) await sizeOf(file.path ?? '', options.ingestRoots);
      else checkSize(file.uploadId, uploads.view(file.uploadId).sizeBytes);
      taken.push(as);
      usable.push(file);
    } catch (error) {
      const { code, status, detail, title } = toCoded(error);
      if (status >= 500) throw error;
      wrong ??= { code, detail: `captions are left out: ${detail ?? title}` };
    }
  }
  return { usable, ...(wrong && { wrong }) };
}

function readAs(
  { language = 'und', kind = 'subtitles', uploadId, path }: CaptionFile,
  others: readonly Pick<TitleCaptions, 'language' | 'kind'>[],
): Pick<TitleCaptions, 'language' | 'kind'> {
  if ((uploadId === undefined) === (path === undefined))
    throw coded('INVALID', 'captions are taken from exactly one of uploadId and path');
  const as = { language: valueOf(languageOf(language)), kind };
  if (others.some((one) => one.language === as.language && one.kind === kind))
    throw coded('INVALID', `two files of captions are of one language and kind: ${as.language} ${kind}`);
  return as;
}

async function sizeOf(path: string, roots: readonly string[]): Promise<number> {
  const { handle, sizeBytes } = await openSource(path, roots);
  await handle.close();
  checkSize(path, sizeBytes);
  return sizeBytes;
}

function checkSize(name: string, sizeBytes: number): void {
  if (sizeBytes <= captionFileSizeBytesMax) return;
  const detail = `${name} has ${sizeBytes} bytes; of captions at most ${captionFileSizeBytesMax} are taken`;
  throw coded('UPLOAD_TOO_LARGE', detail);
}

/** As people know it, whatever signs are in it. */
function nameOf(path: string): string {
  const name = path
    .slice(path.lastIndexOf('/') + 1)
    .toWellFormed()
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '');
  return name.trim().slice(0, nameCharactersMax) || 'captions';
}
