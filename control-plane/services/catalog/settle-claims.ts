import type { Titles } from './titles.ts';
import type { Uploads } from './uploads.ts';

/** Finishes what an earlier process was about to do with the uploads of titles when it ended; those of pictures are free again. */
export async function settleClaims(titles: Titles, uploads: Uploads): Promise<void> {
  const phases = new Map(titles.all().map(({ id, phase }) => [id, phase]));
  for (const { uploadId, titleId } of uploads.claimed()) {
    const phase = phases.get(titleId);
    if (phase === undefined || phase === 'failed') await uploads.release(uploadId);
    else if (phase !== 'storing') await uploads.remove(uploadId);
  }
}
