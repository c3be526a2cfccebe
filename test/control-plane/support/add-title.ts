import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { openBlobs } from '../../../common/adapters/blobs/open.ts';
import type { Bundle } from '../../../common/contract/bundle.ts';
import { EncodeJob, type TitleRequest, TitleView } from '../../../common/contract/titles.ts';
import type { TestNode, TestPlane } from './control-plane.ts';
import { publishSampleBundle } from './publish-bundle.ts';

/** A title that went through upload, lease and completion as an encoder would do it. */
export interface AddedTitle {
  id: string;
  /** Name of the bundle's file. */
  bundle: string;
  /** Every file, the bundle's own included. */
  files: string[];
  sizeBytes: number;
}

let made = 0;

/** Adds a title; the plane must have `--ingest-roots <dataDir>`. Every title has a bundle of its own over the same media files. */
export async function addTitle(
  plane: TestPlane,
  encoder: TestNode,
  { name, pinned = false, details }: Pick<TitleRequest, 'name' | 'pinned' | 'details'>,
): Promise<AddedTitle> {
  made++;
  const path = join(plane.dataDir, `source-${String(made)}.mp4`);
  await writeFile(path, `source ${name}`);
  const title = await plane.call('POST /v1/titles', { body: { name, path, pinned, details } });
  const { id } = title.as(TitleView);
  const job = await encoder.call('POST /v1/encode-jobs/lease', { body: { waitMs: 5000 } });
  const blobs = await openBlobs(pathToFileURL(join(plane.dataDir, 'blobs')).href);
  const published = await publishSampleBundle(blobs, (bundle: Bundle) => {
    bundle.durationMs += made;
  });
  const { jobId, leaseId } = job.as(EncodeJob);
  const done = await encoder.call(`POST /v1/encode-jobs/${jobId}/complete`, {
    body: { leaseId, bundle: published.name },
  });
  if (done.status >= 300) throw new Error(done.text);
  const files = [...published.bundle.files.map(({ file }) => file), published.name];
  const { sizeBytes = 0 } = (await plane.call(`GET /v1/titles/${id}`)).as(TitleView);
  return { id, bundle: published.name, files, sizeBytes };
}
