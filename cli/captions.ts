import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';

import { InvalidArgumentError } from 'commander';

import type { CaptionKind } from '../common/contract/bundle.ts';
import { captionFileSizeBytesMax, type CaptionFile } from '../common/contract/titles.ts';
import { readCaptionFile } from '../common/core/caption-text.ts';
import { captionsBeside } from '../common/runtime/import-files.ts';
import { coded } from '../common/runtime/errors.ts';
import type { CommandContext } from './context.ts';
import { openSource, uploadFile } from './upload.ts';

/** A file of captions that is here, or with `--on-server` there. */
export interface NamedCaptions {
  readonly path: string;
  readonly language?: string;
  readonly kind: CaptionKind;
}

const kinds: Readonly<Record<string, CaptionKind>> = { forced: 'forced', sdh: 'captions' };

/** Reads `FILE:LANGUAGE`, `FILE:LANGUAGE:forced`, `FILE:LANGUAGE:sdh` behind those that were named before. */
export function namedCaptions(typed: string, before: readonly NamedCaptions[] = []): NamedCaptions[] {
  const [, path, language, kind] = /^(.+?):([A-Za-z0-9-]{2,35})(?::(forced|sdh))?$/s.exec(typed) ?? [];
  if (path === undefined || language === undefined)
    throw new InvalidArgumentError('FILE:LANGUAGE, as film.srt:de, with :forced or :sdh behind it');
  return [...before, { path, language, kind: kinds[kind ?? ''] ?? 'subtitles' }];
}

/**
 * What is taken along with a video that is here: what was named, and of what lies beside it other languages and kinds. Each is looked at
 * before anything is uploaded. Errors: PATH_UNREADABLE, SOURCE_EMPTY, UPLOAD_TOO_LARGE, CAPTIONS_INVALID.
 */
export async function captionsOf(
  video: string,
  { named = [], beside }: { named?: readonly NamedCaptions[]; beside: boolean },
): Promise<NamedCaptions[]> {
  const isNamed = ({ language = 'und', kind }: NamedCaptions): boolean =>
    named.some((one) => (one.language ?? 'und') === language && one.kind === kind);
  const found = beside ? (await captionsBeside(video)).filter((one) => !isNamed(one)) : [];
  const all = [...named, ...found];
  for (const one of all) await checkCaptions(one);
  return all;
}

/** Errors: PATH_UNREADABLE, SOURCE_EMPTY, UPLOAD_TOO_LARGE, CAPTIONS_INVALID. */
export async function checkCaptions({
  path,
  language,
}: Pick<NamedCaptions, 'path' | 'language'>): Promise<void> {
  const { handle, sizeBytes } = await openSource(path);
  await handle.close();
  if (sizeBytes > captionFileSizeBytesMax) {
    const detail = `${path} has ${sizeBytes} bytes; of captions at most ${captionFileSizeBytesMax} are taken`;
    throw coded('UPLOAD_TOO_LARGE', detail);
  }
  const read = readCaptionFile(await readFile(path), language);
  if (!read.ok) throw coded(read.code, `${basename(path)}: ${read.detail}`);
}

/** Uploads captions, one after another. Errors: those of uploads. */
export async function uploadCaptions(
  context: CommandContext,
  captions: readonly NamedCaptions[],
): Promise<CaptionFile[]> {
  const uploaded: CaptionFile[] = [];
  for (const { path, ...as } of captions) uploaded.push({ ...as, uploadId: await uploadFile(context, path) });
  return uploaded;
}
