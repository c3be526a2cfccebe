import { FileName } from '../../common/contract/primitives.ts';
import { Type } from '../../common/contract/type.ts';
import type { Log } from '../../common/runtime/log.ts';
import { parseJsonAs } from '../../common/runtime/parse.ts';
import type { AskedFile } from '../core/eviction/spare-files.ts';
import { readIfPresent, replaceFile } from '../store/durable.ts';

const Kept = Type.Array(Type.Object({ file: FileName, asked: Type.Integer({ minimum: 0 }) }));

/** The newest so many are kept. */
const filesMax = 200_000;

/** In which order files were asked for, from one process to the next. */
export class KeptOrder {
  readonly #path: string;
  readonly #log: Log;
  readonly #known = new Map<string, { readonly rank: number; readonly asked: number }>();
  #saved = '';

  constructor({ path, log }: { path: string; log: Log }) {
    this.#path = path;
    this.#log = log;
  }

  /** Reads what an earlier process kept. */
  async open(): Promise<void> {
    const text = await readIfPresent(this.#path);
    if (text === undefined) return;
    try {
      const kept = parseJsonAs(Kept, text.toString('utf8'), { what: this.#path });
      for (const [rank, { file, asked }] of kept.entries()) this.#known.set(file, { rank, asked });
    } catch (error) {
      this.#log.warn({ err: error }, 'what was asked for before is not known: it all counts as new');
    }
  }

  /** Files in the order that was kept, and with it how often each was asked for; those of which nothing is known last. Each is told once. */
  sorted(files: Iterable<string>): AskedFile[] {
    const ranked = [...files].map((file) => {
      const { rank = Infinity, asked = 0 } = this.#known.get(file) ?? {};
      this.#known.delete(file);
      return { file, asked, rank };
    });
    return ranked.sort((a, b) => (a.rank === b.rank ? 0 : a.rank - b.rank));
  }

  /** Keeps an order, longest not asked for first. It is harmless where it cannot. */
  async save(order: Iterable<AskedFile>): Promise<void> {
    const text = JSON.stringify([...order].slice(-filesMax));
    if (text === this.#saved) return;
    try {
      await replaceFile(this.#path, text);
      this.#saved = text;
    } catch (error) {
      this.#log.warn({ err: error }, 'in which order files were asked for could not be kept');
    }
  }
}
