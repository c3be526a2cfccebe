import { Type } from '../../common/contract/type.ts';
import type { Log } from '../../common/runtime/log.ts';
import { parseJsonAs } from '../../common/runtime/parse.ts';
import { batches } from '../core/batches.ts';
import type { AskedFile } from '../core/eviction/spare-files.ts';
import { packedFilesMax, packFiles, unpackFiles } from '../store/packed-files.ts';
import { readIfPresent, replaceFile } from '../store/durable.ts';

/** As `packFiles` packs them, with how often they were asked for in place of their size. */
const Kept = Type.Array(Type.String());

/** The newest so many are kept. */
const filesMax = 200_000;

/** In which order files were asked for, from one process to the next. */
export class KeptOrder {
  readonly #path: string;
  readonly #log: Log;
  #kept: AskedFile[] = [];
  /** By file: its place in what was kept, until it is told. */
  readonly #places = new Map<string, number>();
  #unread: Buffer | undefined;
  #saved = '';

  constructor({ path, log }: { path: string; log: Log }) {
    this.#path = path;
    this.#log = log;
  }

  /** Reads what an earlier process kept. What it says is looked at when it is first asked for: a start has no time for it. */
  async open(): Promise<void> {
    this.#unread = await readIfPresent(this.#path);
  }

  /** Files in the order that was kept, and with it how often each was asked for; those of which nothing is known last. Each is told once. */
  sorted(files: Iterable<string>): AskedFile[] {
    this.#read();
    const places: number[] = [];
    const unknown: AskedFile[] = [];
    for (const file of files) {
      const place = this.#places.get(file);
      if (place === undefined) unknown.push({ file, asked: 0 });
      else places.push(place);
      this.#places.delete(file);
    }
    const known = [...Uint32Array.from(places).sort()].flatMap((place) => this.#kept[place] ?? []);
    return known.concat(unknown);
  }

  /** Keeps an order, longest not asked for first. It is harmless where it cannot. */
  async save(order: Iterable<AskedFile>): Promise<void> {
    const kept = [...order].slice(-filesMax).map(({ file, asked }) => [file, asked] as const);
    const text = JSON.stringify([...batches(kept, packedFilesMax)].map(packFiles));
    if (text === this.#saved) return;
    try {
      await replaceFile(this.#path, text);
      this.#saved = text;
    } catch (error) {
      this.#log.warn({ err: error }, 'in which order files were asked for could not be kept');
    }
  }

  #read(): void {
    const text = this.#unread;
    this.#unread = undefined;
    if (text === undefined) return;
    try {
      const kept = parseJsonAs(Kept, text.toString('utf8'), { what: this.#path });
      this.#kept = kept.flatMap(unpackFiles).map(([file, asked]) => ({ file, asked }));
      this.#kept.forEach(({ file }, place) => this.#places.set(file, place));
    } catch (error) {
      this.#log.warn({ err: error }, 'what was asked for before is not known: it all counts as new');
    }
  }
}
