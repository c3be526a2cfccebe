import { slicesMax } from './catalogue.ts';

/** A viewing: slices of one file from `first` on, one a slot; with a low start the first is of the next lower rendition. */
export interface Viewing {
  readonly slot: number;
  readonly file: number;
  readonly first: number;
  readonly count: number;
  readonly isLowStart: boolean;
}

/** Viewings in typed arrays that grow. */
export class Viewings {
  length = 0;
  #slots = new Uint32Array(1024);
  #files = new Uint32Array(1024);
  // first, count and the low start in 4 + 4 + 1 bits
  #spans = new Uint16Array(1024);

  add({ slot, file, first, count, isLowStart }: Viewing): void {
    if (this.length === this.#slots.length) this.#grow();
    this.#slots[this.length] = slot;
    this.#files[this.length] = file;
    this.#spans[this.length] = (first << 5) | (count << 1) | Number(isLowStart);
    this.length++;
  }

  /** Each slice of each viewing with its slot. */
  each(visit: (slice: number, slot: number) => void): void {
    for (let at = 0; at < this.length; at++) {
      const span = this.#spans[at]!;
      const first = span >> 5;
      const count = (span >> 1) & 15;
      const file = this.#files[at]!;
      const slot = this.#slots[at]!;
      for (let index = 0; index < count; index++) {
        const fileNow = index === 0 ? file + (span & 1) : file;
        visit(fileNow * slicesMax + first + index, slot + index);
      }
    }
  }

  #grow(): void {
    const length = 2 * this.#slots.length;
    const grown = <Kind extends Uint32Array | Uint16Array>(to: Kind, from: Kind): Kind => {
      to.set(from);
      return to;
    };
    this.#slots = grown(new Uint32Array(length), this.#slots);
    this.#files = grown(new Uint32Array(length), this.#files);
    this.#spans = grown(new Uint16Array(length), this.#spans);
  }
}

/** What a site's viewers ask for, in order: the slices of slot `s` are `slices[slotStarts[s]]` to `slices[slotStarts[s + 1] - 1]`. */
export interface SiteTrace {
  readonly slices: Uint32Array;
  readonly slotStarts: Uint32Array;
}

/** Viewings as a trace of slices; what would be watched after the last day is left out. */
export function expandTrace(
  viewings: Viewings,
  { days, slotsPerDay }: { days: number; slotsPerDay: number },
): SiteTrace {
  const slots = days * slotsPerDay;
  const slotStarts = new Uint32Array(slots + 1);
  viewings.each((_, slot) => {
    if (slot < slots) slotStarts[slot + 1]!++;
  });
  for (let slot = 0; slot < slots; slot++) slotStarts[slot + 1]! += slotStarts[slot]!;
  const slices = new Uint32Array(slotStarts[slots]!);
  const next = slotStarts.slice(0, slots);
  viewings.each((slice, slot) => {
    if (slot < slots) slices[next[slot]!++] = slice;
  });
  return { slices, slotStarts };
}
