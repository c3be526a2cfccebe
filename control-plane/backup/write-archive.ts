import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline, Readable } from 'node:stream';
import { createZstdCompress } from 'node:zlib';
import { valueOf } from '../../common/runtime/errors.ts';
import { tarEnd, tarHeader, tarPadding } from '../core/tar.ts';
import { manifestPath, type BackupManifest } from './manifest.ts';
import { seal } from './seal.ts';

export interface ArchiveOptions {
  manifest: BackupManifest;
  /** Where the files of the manifest are. */
  directory: string;
  /** Encrypts it. */
  passphrase?: string | undefined;
  /** Hears how many bytes of files are in the archive. */
  onBytes: (bytes: number) => void;
}

/** The archive as it is written: tar of the manifest and its files, zstd, and a seal where there is a passphrase. */
export function writeArchive({ passphrase, ...what }: ArchiveOptions): AsyncIterable<Uint8Array> {
  const tar = Readable.from(tarOf(what), { objectMode: false });
  // A failure of one ends the other, and whoever reads hears of it.
  const packed = pipeline(tar, createZstdCompress(), () => undefined);
  return passphrase === undefined ? packed : seal(packed, passphrase);
}

async function* tarOf({ manifest, directory, onBytes }: ArchiveOptions): AsyncGenerator<Buffer> {
  const modifiedMs = manifest.takenAtMs;
  const text = Buffer.from(JSON.stringify(manifest, undefined, 2));
  yield valueOf(tarHeader({ path: manifestPath, sizeBytes: text.length, modifiedMs }));
  yield text;
  yield Buffer.alloc(tarPadding(text.length));
  for (const { path, sizeBytes } of manifest.files) {
    yield valueOf(tarHeader({ path, sizeBytes, modifiedMs }));
    for await (const chunk of createReadStream(join(directory, path)) as AsyncIterable<Buffer>) {
      onBytes(chunk.length);
      yield chunk;
    }
    yield Buffer.alloc(tarPadding(sizeBytes));
  }
  yield tarEnd;
}
