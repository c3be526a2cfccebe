/** A bit for each family of addresses, in sets of them. */
export const familyBits: Readonly<Record<4 | 6, number>> = { 4: 1, 6: 2 };

/** The families of which a node has no address though it has some, as a set of `familyBits`. */
export function deadFamilies({
  addresses,
}: {
  readonly addresses: Readonly<Record<4 | 6, readonly string[]>>;
}): number {
  const none4 = addresses[4].length === 0;
  const none6 = addresses[6].length === 0;
  return none4 === none6 ? 0 : none4 ? familyBits[4] : familyBits[6];
}
