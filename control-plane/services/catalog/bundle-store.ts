import { LRUCache } from 'lru-cache';
import { readBlobBytes } from '../../../common/adapters/blobs/bytes.ts';
import type { Blobs } from '../../../common/adapters/blobs/port.ts';
import { ArtworkBundle } from '../../../common/contract/artwork.ts';
import { Bundle } from '../../../common/contract/bundle.ts';
import { describeBytes, openDescriptor } from '../../../common/core/chunk-tree.ts';
import { contentKey, descriptorKey } from '../../../common/core/file-keys.ts';
import { SingleFlight } from '../../../common/core/single-flight.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { parseJsonAs } from '../../../common/runtime/parse.ts';
import { checkBundle } from '../../core/check-bundle.ts';
import type { BundleFile } from './ports.ts';

const bundleSizeBytesMax = 32 * 1024 * 1024;
const artworkBundleSizeBytesMax = 64 * 1024;
// The list of hashes of a file of 1 TiB.
const descriptorSizeBytesMax = 33 * 1024 * 1024;
const cacheSizeBytesMax = 64 * 1024 * 1024;
const checksAtOnce = 8;

interface ReadBundle {
  readonly bundle: Bundle;
  readonly sizeBytes: number;
}

/** Bundles as encoders publish them in blobs: read, checked, kept in memory within a bound. */
export class BundleStore {
  readonly #blobs: Blobs;
  readonly #flights = new SingleFlight<ReadBundle>();
  // A parsed bundle takes several times the bytes of its text; the bound counts text.
  readonly #cache = new LRUCache<string, ReadBundle>({
    maxSize: cacheSizeBytesMax,
    sizeCalculation: ({ sizeBytes }) => Math.max(1, sizeBytes),
  });

  constructor(blobs: Blobs) {
    this.#blobs = blobs;
  }

  /** A bundle by its name. Errors: BUNDLE_INVALID (missing, corrupt or senseless), STORE_UNAVAILABLE. */
  async read(name: string): Promise<ReadBundle> {
    const cached = this.#cache.get(name);
    if (cached !== undefined) return cached;
    return await this.#flights.run(name, async () => {
      const read = await this.#parse(name);
      this.#cache.set(name, read);
      return read;
    });
  }

  /**
   * Reads a bundle and makes sure that blobs hold every file of it, with its chunk list and of the size that the name vouches
   * for. Gives all files, the bundle's own first. `onStep` is called after each file. Errors: as `read`.
   */
  async verify(name: string, onStep: () => void): Promise<{ bundle: Bundle; files: BundleFile[] }> {
    this.#cache.delete(name);
    const { bundle, sizeBytes } = await this.read(name);
    const own = { file: name, ext: 'json', sizeBytes };
    const unique = new Map(
      bundle.files.map(({ file, ext, sizeBytes: size }) => [file, { file, ext, sizeBytes: size }]),
    );
    const files = [own, ...unique.values()];
    await this.#checkFiles(files, onStep);
    return { bundle, files };
  }

  /** The same of the bundle of an artwork, which is checked to be its. Errors: as `read`. */
  async verifyArtwork(
    name: string,
    artwork: string,
    onStep: () => void,
  ): Promise<{ bundle: ArtworkBundle; sizeBytes: number }> {
    const bytes = await this.#readBytes(name, artworkBundleSizeBytesMax);
    const options = { what: `bundle ${name}`, code: 'BUNDLE_INVALID' } as const;
    const bundle = parseJsonAs(ArtworkBundle, bytes.toString('utf8'), options);
    if (bundle.artwork !== artwork)
      throw coded('BUNDLE_INVALID', `bundle ${name} is of ${bundle.artwork}, not of ${artwork}`);
    if (new Set(bundle.files.map(({ file }) => file)).size !== bundle.files.length)
      throw coded('BUNDLE_INVALID', `bundle ${name} lists a file twice`);
    await this.#checkFiles([{ file: name, ext: 'json', sizeBytes: bytes.length }, ...bundle.files], onStep);
    return { bundle, sizeBytes: bytes.length };
  }

  async #checkFiles(files: readonly BundleFile[], onStep: () => void): Promise<void> {
    const waiting = [...files];
    const check = async (): Promise<void> => {
      for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
        await this.#checkFile(file);
        onStep();
      }
    };
    await Promise.all(Array.from({ length: checksAtOnce }, check));
  }

  async #parse(name: string): Promise<ReadBundle> {
    const bytes = await this.#readBytes(name, bundleSizeBytesMax);
    const options = { what: `bundle ${name}`, code: 'BUNDLE_INVALID' } as const;
    const checked = checkBundle(parseJsonAs(Bundle, bytes.toString('utf8'), options));
    if (!checked.ok) throw coded(checked.code, `bundle ${name}: ${checked.detail}`);
    return { bundle: checked.value, sizeBytes: bytes.length };
  }

  async #readBytes(name: string, sizeBytesMax: number): Promise<Buffer> {
    const bytes = await readBlobBytes(this.#blobs, contentKey(name), { sizeBytesMax });
    if (bytes === undefined) throw coded('BUNDLE_INVALID', `${name} is not in blobs`);
    if (describeBytes(bytes).file !== name) throw coded('BUNDLE_INVALID', `${name} does not match its name`);
    return bytes;
  }

  async #checkFile({ file, sizeBytes }: BundleFile): Promise<void> {
    const content = await this.#blobs.stat(contentKey(file));
    if (content === undefined) throw coded('BUNDLE_INVALID', `file ${file} is not in blobs`);
    if (content.sizeBytes !== sizeBytes) {
      throw coded('BUNDLE_INVALID', `file ${file} has ${content.sizeBytes} bytes instead of ${sizeBytes}`);
    }
    const options = { sizeBytesMax: descriptorSizeBytesMax };
    const descriptor = await readBlobBytes(this.#blobs, descriptorKey(file), options);
    if (descriptor === undefined) throw coded('BUNDLE_INVALID', `the chunk list of ${file} is not in blobs`);
    const opened = openDescriptor(file, descriptor);
    if (!opened.ok) throw coded('BUNDLE_INVALID', opened.detail);
    if (opened.value.sizeBytes !== sizeBytes) {
      throw coded(
        'BUNDLE_INVALID',
        `${file} is a file of ${opened.value.sizeBytes} bytes, not of ${sizeBytes}`,
      );
    }
  }
}
