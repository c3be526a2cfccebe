import { writeBlobBytes } from '../../../common/adapters/blobs/bytes.ts';
import type { Blobs } from '../../../common/adapters/blobs/port.ts';
import type { Bundle } from '../../../common/contract/bundle.ts';
import { describeBytes } from '../../../common/core/chunk-tree.ts';
import { sampleBundle } from './sample-bundle.ts';

/** Publishes bytes as a file: content and chunk list under its name, which is returned. */
export async function publishFile(blobs: Blobs, bytes: Uint8Array): Promise<string> {
  const { descriptor, file } = describeBytes(bytes);
  await writeBlobBytes({ blobs, key: `files/${file}` }, bytes);
  await writeBlobBytes({ blobs, key: `files/${file}.chunks` }, descriptor);
  return file;
}

/** The sample bundle with files that exist: every file is filled with its own bytes and published, the bundle last. */
export async function publishSampleBundle(
  blobs: Blobs,
  change: (bundle: Bundle) => void = () => undefined,
): Promise<{ name: string; bundle: Bundle }> {
  const sample = sampleBundle();
  const names = new Map<string, string>();
  for (const { file, sizeBytes } of sample.files) {
    names.set(file, await publishFile(blobs, Buffer.alloc(sizeBytes, file)));
  }
  const text = JSON.stringify(sample).replace(/[0-9a-f]{64}/g, (file) => names.get(file) ?? file);
  const bundle = JSON.parse(text) as Bundle;
  change(bundle);
  return { name: await publishFile(blobs, Buffer.from(JSON.stringify(bundle))), bundle };
}
