import type { Blobs } from '../../../common/adapters/blobs/port.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { captionKeys } from './caption-files.ts';
import { sourceKey } from './ingest.ts';
import { isAtWork } from './making.ts';
import type { CatalogOptions } from './ports.ts';
import type { TitleRecord } from './records.ts';
import type { Titles } from './titles.ts';

/** Removes a title's source from blobs once it is needed no more. In turn with what stores one anew. */
export async function dropSource(
  titleId: string,
  deps: { titles: Titles; blobs: Blobs; log: Log; options: Pick<CatalogOptions, 'keepSources'> },
): Promise<void> {
  const { titles, blobs, log, options } = deps;
  const title = titles.get(titleId);
  if (options.keepSources || !hasSource(title) || isAtWork(title)) return;
  try {
    await blobs.remove(sourceKey(titleId));
    for (const key of captionKeys(titleId, title.captions)) await blobs.remove(key);
    for (const key of captionKeys(titleId, title.replacement?.captions)) await blobs.remove(key);
    await titles.change(titleId, withoutSource);
  } catch (error) {
    log.warn({ titleId, err: error }, 'a source could not be removed; it is tried again at the next start');
  }
}

/** Whether blobs hold a source of a title. */
export function hasSource({ sourceStored, replacement }: TitleRecord): boolean {
  return sourceStored || replacement?.sourceStored === true;
}

function withoutSource({ replacement, ...title }: TitleRecord): TitleRecord {
  return {
    ...{ ...title, sourceStored: false },
    ...(replacement !== undefined && { replacement: { ...replacement, sourceStored: false } }),
  };
}
