import type { TokenScope } from '../../common/core/tokens/delivery-token.ts';

/** File, bytes to viewers, bytes to boxes that fill. */
export type ServedPart = [file: string, playBytes: number, fillBytes: number];

/** Bytes served since they were last taken, by file: each byte is taken once. It holds as many files as are served between. */
export class ServedTally {
  readonly #bytes = new Map<string, { play: number; fill: number }>();

  add(file: string, scope: TokenScope, bytes: number): void {
    const of = this.#bytes.get(file) ?? { play: 0, fill: 0 };
    of[scope === 'play' ? 'play' : 'fill'] += bytes;
    this.#bytes.set(file, of);
  }

  /** At most `countMax` files. */
  take(countMax: number): ServedPart[] {
    const parts: ServedPart[] = [];
    for (const [file, { play, fill }] of this.#bytes.entries().take(countMax)) {
      parts.push([file, play, fill]);
    }
    for (const [file] of parts) this.#bytes.delete(file);
    return parts;
  }
}
