/** Why a file is on a box, as numbers; `whyName` has their names. */
export const placedWhys = { pinned: 0, urgent: 1, popular: 2, alone: 3, kept: 4, spare: 5 } as const;

/**
 * - `pinned`: an operator wants it everywhere;
 * - `urgent`: it is to be there at once;
 * - `popular`: its bundle is wanted more than what was left out;
 * - `alone`: the file is, though its bundle is not;
 * - `kept`: it is there already, which counts for it;
 * - `spare`: a copy more, so that a box may fail.
 */
export type PlacedWhy = keyof typeof placedWhys;

const names = Object.keys(placedWhys) as PlacedWhy[];

/** The name of one of `placedWhys`. */
export function whyName(why: number): PlacedWhy {
  return names[why] ?? 'popular';
}

/** Files of one box in the order in which they are wanted, each with the bundle that brought it and why. */
export interface PlacedFiles {
  readonly files: Uint32Array;
  readonly bundles: Uint32Array;
  readonly whys: Uint8Array;
}

const lengthMin = 256;

/** Such a list while it grows. */
export class PlacedList {
  #files = new Uint32Array(lengthMin);
  #bundles = new Uint32Array(lengthMin);
  #whys = new Uint8Array(lengthMin);
  #length = 0;

  add(file: number, bundle: number, why: number): void {
    if (this.#length === this.#files.length) this.#grow();
    this.#files[this.#length] = file;
    this.#bundles[this.#length] = bundle;
    this.#whys[this.#length] = why;
    this.#length++;
  }

  /** Several of one bundle. */
  addAll(files: Uint32Array, { bundle, why }: { bundle: number; why: number }): void {
    const end = this.#length + files.length;
    while (end > this.#files.length) this.#grow();
    this.#files.set(files, this.#length);
    this.#bundles.fill(bundle, this.#length, end);
    this.#whys.fill(why, this.#length, end);
    this.#length = end;
  }

  /** What it holds, in no more memory than that takes. */
  close(): PlacedFiles {
    return {
      files: this.#files.slice(0, this.#length),
      bundles: this.#bundles.slice(0, this.#length),
      whys: this.#whys.slice(0, this.#length),
    };
  }

  #grow(): void {
    const length = 2 * this.#files.length;
    this.#files = grown(this.#files, new Uint32Array(length));
    this.#bundles = grown(this.#bundles, new Uint32Array(length));
    this.#whys = grown(this.#whys, new Uint8Array(length));
  }
}

function grown<Kind extends Uint32Array | Uint8Array>(from: Kind, to: Kind): Kind {
  to.set(from);
  return to;
}
