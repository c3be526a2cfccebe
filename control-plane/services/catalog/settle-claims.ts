import { makingOf } from './making.ts';
import type { TitleRecord } from './records.ts';
import type { Titles } from './titles.ts';
import type { Uploads } from './uploads.ts';

/**
 * Finishes what an earlier process was about to do with the uploads of titles when it ended; those of pictures, and those that nothing is
 * made of, are free again.
 */
export async function settleClaims(titles: Titles, uploads: Uploads): Promise<void> {
  for (const { uploadId, titleId } of uploads.claimed()) {
    const phase = phaseOf(titles.find(titleId), uploadId);
    if (phase === undefined || phase === 'failed') await uploads.release(uploadId);
    else if (phase !== 'storing') await uploads.remove(uploadId);
  }
}

/** How far what is made of an upload is. */
function phaseOf(title: TitleRecord | undefined, uploadId: string): TitleRecord['phase'] | undefined {
  const made = title === undefined ? [] : [makingOf(title), title];
  return made.find(({ source, captions = [] }) =>
    [source, ...captions.map((one) => one.source)].some(
      (one) => one.kind === 'upload' && one.uploadId === uploadId,
    ),
  )?.phase;
}
