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

  /** The file of each viewing with its first slot. */
  eachBeginning(visit: (file: number, slot: number) => void): void {
    for (let at = 0; at < this.length; at++) visit(this.#files[at]!, this.#slots[at]!);
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

/** What a site's viewers ask for, in order. */
export interface SiteTrace {
  /** The slices of slot `s` are `slices[slotStarts[s]]` to `slices[slotStarts[s + 1] - 1]`. */
  readonly slices: Uint32Array;
  readonly slotStarts: Uint32Array;
  /** The files of the viewings that begin in slot `s` are `begun[begunStarts[s]]` to `begun[begunStarts[s + 1] - 1]`. */
  readonly begun: Uint32Array;
  readonly begunStarts: Uint32Array;
}

/** Viewings as a trace of slices; what would be watched after the last day is left out. */
export function expandTrace(
  viewings: Viewings,
  { days, slotsPerDay }: { days: number; slotsPerDay: number },
): SiteTrace {
  const slots = days * slotsPerDay;
  const watched = bySlot(slots, (visit) => {
    viewings.each(visit);
  });
  const begun = bySlot(slots, (visit) => {
    viewings.eachBeginning(visit);
  });
  return {
    ...{ slices: watched.values, slotStarts: watched.starts },
    ...{ begun: begun.values, begunStarts: begun.starts },
  };
}

/** Values in the order of their slots. */
function bySlot(
  slots: number,
  each: (visit: (value: number, slot: number) => void) => void,
): { values: Uint32Array; starts: Uint32Array } {
  const starts = new Uint32Array(slots + 1);
  each((_, slot) => {
    if (slot < slots) starts[slot + 1]!++;
  });
  for (let slot = 0; slot < slots; slot++) starts[slot + 1]! += starts[slot]!;
  const values = new Uint32Array(starts[slots]!);
  const next = starts.slice(0, slots);
  each((value, slot) => {
    if (slot < slots) values[next[slot]!++] = value;
  });
  return { values, starts };
}
