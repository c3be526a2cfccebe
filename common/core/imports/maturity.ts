/** The ages of ratings that do not name one: of the MPA and US television (for parents to decide: PG, TV-PG), of the BBFC. */
const ages: Readonly<Record<string, number>> = {
  G: 0,
  PG: 8,
  'PG-13': 13,
  R: 17,
  'NC-17': 17,
  X: 18,
  'TV-Y': 0,
  'TV-Y7': 7,
  'TV-G': 0,
  'TV-PG': 8,
  'TV-14': 14,
  'TV-MA': 17,
  U: 0,
  '12A': 12,
  R18: 18,
};

/**
 * The age from which something is fit to be seen, of a rating as collections write it: `Rated PG-13 for violence`, `US:TV-MA`,
 * `DE:FSK 16`, `12`. Undefined for what is not understood: that is not rated.
 */
export function maturityOf(rating: string): number | undefined {
  const plain = rating
    .trim()
    .replace(/^rated\s+/i, '')
    .replace(/^[A-Za-z]{2}:\s*(?:rated\s+)?/i, '');
  const [word = ''] = plain.split(/[\s/,(]/);
  const named = ages[word.toUpperCase()];
  if (named !== undefined) return named;
  const [, number] = /^(?:[A-Za-z]{1,5}[\s-]*)?(\d{1,2})\+?(?:\s|$)/.exec(plain) ?? [];
  return number === undefined ? undefined : Math.min(18, Number(number));
}
