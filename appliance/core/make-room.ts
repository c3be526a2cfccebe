/** Something that may go when room is needed. */
export interface Spare {
  readonly file: string;
  readonly costBytes: number;
  /** When it was last asked for, on any clock that only goes forward. */
  readonly usedAtMs: number;
}

/**
 * What has to go so that `costBytes` fit: what nobody has asked for for longest goes first, and no more than needed. Nothing has
 * to where there is room; undefined where there is none even without all that may go.
 */
export function makeRoom(input: {
  costBytes: number;
  /** May be negative: more is taken than there is. */
  freeBytes: number;
  spare: Iterable<Spare>;
}): string[] | undefined {
  let { freeBytes } = input;
  if (input.costBytes <= freeBytes) return [];
  const going: string[] = [];
  for (const { file, costBytes } of [...input.spare].sort(byUse)) {
    going.push(file);
    freeBytes += costBytes;
    if (input.costBytes <= freeBytes) return going;
  }
  return undefined;
}

function byUse(a: Spare, b: Spare): number {
  return a.usedAtMs - b.usedAtMs || (a.file < b.file ? -1 : 1);
}
