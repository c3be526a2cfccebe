/** A file that the manifest wants here. */
export interface WantedFile {
  readonly file: string;
  readonly ext: string;
  readonly sizeBytes: number;
  /** It does not wait for the fill window. */
  readonly urgent?: true | undefined;
}

/** A file that is held here. */
export interface HeldFile {
  readonly sizeBytes: number;
  /** Someone reads it now: it must not be deleted. */
  readonly inUse: boolean;
  /** When it was last read, on any clock that only goes forward. */
  readonly lastServedMs: number;
}

/** What is to be done so that what is held becomes what is wanted. */
export interface FillDiff {
  /** In the order of the manifest. */
  readonly fetch: readonly WantedFile[];
  /** Held, wanted by no manifest, and in the way. Longest unserved first. */
  readonly remove: readonly string[];
  /** Wanted, but there is no room even when everything that may go is gone. */
  readonly left: readonly WantedFile[];
}

/** Bytes that a file takes besides its content: its chunk list, in blocks. */
export type CostBytes = (sizeBytes: number) => number;

/**
 * Compares a manifest with the holdings. What no manifest names stays as long as there is room for what is wanted:
 * it costs nothing and may still be asked for. Files are taken in the manifest's order; one that does not fit is left
 * out and smaller ones behind it still get their chance.
 */
export function planFill(input: {
  wanted: readonly WantedFile[];
  held: ReadonlyMap<string, HeldFile>;
  /** How many bytes files may take in all. */
  capacityBytes: number;
  costBytes: CostBytes;
}): FillDiff {
  const { held, costBytes } = input;
  const wanted = new Map(input.wanted.map((item) => [item.file, item]));
  let freeBytes = input.capacityBytes;
  const spare: { file: string; costBytes: number; lastServedMs: number }[] = [];
  for (const [file, { sizeBytes, inUse, lastServedMs }] of held) {
    freeBytes -= costBytes(sizeBytes);
    if (!wanted.has(file) && !inUse) spare.push({ file, costBytes: costBytes(sizeBytes), lastServedMs });
  }
  spare.sort((a, b) => a.lastServedMs - b.lastServedMs || (a.file < b.file ? -1 : 1));
  let spareBytes = spare.reduce((sum, item) => sum + item.costBytes, 0);

  const fetch: WantedFile[] = [];
  const left: WantedFile[] = [];
  const remove: string[] = [];
  let nextSpare = 0;
  for (const item of wanted.values()) {
    if (held.has(item.file)) continue;
    const needBytes = costBytes(item.sizeBytes);
    if (needBytes > freeBytes + spareBytes) {
      left.push(item);
      continue;
    }
    for (; freeBytes < needBytes; nextSpare++) {
      const victim = spare[nextSpare];
      if (victim === undefined) break;
      remove.push(victim.file);
      freeBytes += victim.costBytes;
      spareBytes -= victim.costBytes;
    }
    freeBytes -= needBytes;
    fetch.push(item);
  }
  return { fetch, remove, left };
}
