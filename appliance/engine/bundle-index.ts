import { LRUCache } from 'lru-cache';
import { FileName } from '../../common/contract/primitives.ts';
import { Type } from '../../common/contract/type.ts';
import { SingleFlight } from '../../common/core/single-flight.ts';
import { coded } from '../../common/runtime/errors.ts';
import { parseJsonAs } from '../../common/runtime/parse.ts';
import type { ContentSource, OpenContent } from '../store/content.ts';

/** The files that a bundle covers: name → extension. The bundle itself is one of them. */
export type BundleFiles = ReadonlyMap<string, string>;

/** What bundles of videos and of pictures have in common. */
const FileList = Type.Object({
  version: Type.Literal(1),
  files: Type.Array(Type.Object({ file: FileName, ext: Type.String({ pattern: '^[a-z0-9]{2,6}$' }) }), {
    minItems: 1,
    maxItems: 10_000,
  }),
});
const bundleSizeBytesMax = 32 * 1024 * 1024;

/** Reads held bundles for the question which files a token covers; each is read once and kept while there is room. */
export class BundleIndex {
  readonly #content: ContentSource;
  readonly #flights = new SingleFlight<BundleFiles | undefined>();
  readonly #known: LRUCache<string, BundleFiles>;

  /** `filesMax` bounds how many files' names are kept in all. */
  constructor(options: { content: ContentSource; filesMax: number }) {
    this.#content = options.content;
    this.#known = new LRUCache({ maxSize: options.filesMax, sizeCalculation: (files) => files.size });
  }

  /** The files of a bundle, or undefined when the bundle is not held here. Errors: BUNDLE_INVALID and the store's. */
  async filesOf(bundle: string): Promise<BundleFiles | undefined> {
    return this.#known.get(bundle) ?? (await this.#flights.run(bundle, () => this.#load(bundle)));
  }

  /** Whether it is a bundle whose files were asked for here lately. */
  isKnown(id: string): boolean {
    return this.#known.has(id);
  }

  /** Forgets a bundle that is no longer held. */
  forget(bundle: string): void {
    this.#known.delete(bundle);
  }

  async #load(bundle: string): Promise<BundleFiles | undefined> {
    const content = await this.#content.open(bundle, 'content');
    if (content === undefined) return undefined;
    try {
      const files = parseBundle(bundle, await readWhole(content));
      this.#known.set(bundle, files);
      return files;
    } finally {
      content.release();
    }
  }
}

function parseBundle(bundle: string, text: string): BundleFiles {
  const what = `the bundle ${bundle}`;
  const { files } = parseJsonAs(FileList, text, { what, code: 'BUNDLE_INVALID' });
  const covered = new Map(files.map(({ file, ext }) => [file, ext]));
  return covered.set(bundle, 'json');
}

async function readWhole(content: OpenContent): Promise<string> {
  if (content.sizeBytes > bundleSizeBytesMax) throw coded('BUNDLE_INVALID', 'it is larger than any bundle');
  const whole = Buffer.allocUnsafe(content.sizeBytes);
  let done = 0;
  while (done < whole.length) {
    const piece = await content.read(done, whole.length - done);
    whole.set(piece.bytes, done);
    done += piece.bytes.length;
    piece.release();
  }
  return whole.toString('utf8');
}
