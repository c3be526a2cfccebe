import type { FileScope } from '../../common/core/tokens/delivery-token.ts';

/** File, bytes to who plays, to boxes that fill, to who looks at pictures. */
export type ServedPart = [file: string, playBytes: number, fillBytes: number, pictureBytes: number];

/** Bytes served since they were last taken, by file: each byte is taken once. It holds as many files as are served between. */
export class ServedTally {
  readonly #bytes = new Map<string, Record<FileScope, number>>();

  add(file: string, scope: FileScope, bytes: number): void {
    const of = this.#bytes.get(file) ?? { play: 0, fill: 0, picture: 0 };
    of[scope] += bytes;
    this.#bytes.set(file, of);
  }

  /** At most `countMax` files. */
  take(countMax: number): ServedPart[] {
    const parts: ServedPart[] = [];
    for (const [file, { play, fill, picture }] of this.#bytes.entries().take(countMax)) {
      parts.push([file, play, fill, picture]);
    }
    for (const [file] of parts) this.#bytes.delete(file);
    return parts;
  }
}
