import { createHash } from 'node:crypto';
import { pipeline, Readable } from 'node:stream';
import { createZstdDecompress } from 'node:zlib';
import { coded, isCoded, systemCode, valueOf } from '../../common/runtime/errors.ts';
import { readTarHeader, tarBlockBytes, tarPadding, type TarEntry } from '../core/tar.ts';
import { manifestPath, parseManifest, type BackupManifest } from './manifest.ts';
import { unseal } from './seal.ts';

const manifestBytesMax = 1024 * 1024;
const tailBytesMax = 64 * 1024;

export interface ReadArchiveOptions {
  passphrase?: string | undefined;
  /** Takes the bytes of each file as they come; they are checked when it has resolved. */
  take: (path: string, bytes: AsyncIterable<Buffer>) => Promise<void>;
}

/**
 * Reads a whole archive and checks it: what `take` was given is as the backup made it once this resolves. CREDENTIAL_MISSING for a sealed one without a
 * passphrase, STORE_NEWER, STORE_CORRUPT for all that is not as its manifest says.
 */
export async function readArchive(
  source: AsyncIterable<Uint8Array>,
  { passphrase, take }: ReadArchiveOptions,
): Promise<BackupManifest> {
  const sealed = Readable.from(unseal(source, passphrase), { objectMode: false });
  const plain = pipeline(sealed, createZstdDecompress(), () => undefined);
  try {
    const reader = new ExactReader(plain);
    const manifest = await readManifest(reader);
    for (const file of manifest.files) {
      const entry = await nextEntry(reader);
      if (entry?.path !== file.path || entry.sizeBytes !== file.sizeBytes)
        throw corrupt(`${file.path} is not where the manifest says`);
      const hash = createHash('sha256');
      await take(file.path, hashed(reader.run(file.sizeBytes), hash));
      await reader.exactly(tarPadding(file.sizeBytes));
      if (hash.digest('hex') !== file.sha256) throw corrupt(`${file.path} is not what was backed up`);
    }
    if ((await nextEntry(reader)) !== undefined) throw corrupt('it has more files than its manifest says');
    // To the end: there is the seal.
    await reader.drain(tailBytesMax);
    return manifest;
  } catch (error) {
    // What zstd says of bytes that it cannot read.
    if (isCoded(error) || systemCode(error)?.startsWith('Z') !== true) throw error;
    throw coded('STORE_CORRUPT', {
      detail: 'the backup is damaged, or has another passphrase',
      cause: error,
    });
  } finally {
    plain.destroy();
  }
}

function corrupt(detail: string): Error {
  return coded('STORE_CORRUPT', `the backup is damaged: ${detail}`);
}

async function readManifest(reader: ExactReader): Promise<BackupManifest> {
  const entry = await nextEntry(reader);
  if (entry?.path !== manifestPath || entry.sizeBytes > manifestBytesMax)
    throw corrupt('it does not begin with a manifest');
  const bytes = await reader.exactly(entry.sizeBytes);
  await reader.exactly(tarPadding(entry.sizeBytes));
  return parseManifest(bytes.toString('utf8'));
}

async function nextEntry(reader: ExactReader): Promise<TarEntry | undefined> {
  return valueOf(readTarHeader(await reader.exactly(tarBlockBytes)));
}

async function* hashed(
  bytes: AsyncIterable<Buffer>,
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<Buffer> {
  for await (const chunk of bytes) {
    hash.update(chunk);
    yield chunk;
  }
}

/** Reads counted bytes of a stream. */
class ExactReader {
  readonly #chunks: AsyncIterator<Buffer>;
  #held: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#chunks = source[Symbol.asyncIterator]();
  }

  async exactly(count: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const part of this.run(count)) parts.push(part);
    return Buffer.concat(parts);
  }

  /** So many bytes, in pieces. STORE_CORRUPT where there are fewer. */
  async *run(count: number): AsyncGenerator<Buffer> {
    for (let left = count; left > 0;) {
      if (this.#held.length === 0 && !(await this.#more())) throw corrupt('it ends before its end');
      const part = this.#held.subarray(0, left);
      this.#held = this.#held.subarray(part.length);
      left -= part.length;
      yield part;
    }
  }

  /** Reads to the end, which has to come within so many bytes. */
  async drain(bytesMax: number): Promise<void> {
    let bytes = this.#held.length;
    while (await this.#more()) {
      bytes += this.#held.length;
      if (bytes > bytesMax) throw corrupt('something stands behind its end');
    }
  }

  async #more(): Promise<boolean> {
    const next = await this.#chunks.next();
    if (next.done === true) return false;
    this.#held = next.value;
    return true;
  }
}
