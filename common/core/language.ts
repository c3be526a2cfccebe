import { ok, refused, type Result } from './result.ts';

/** A language as BCP 47 writes it: `en-GB` of `EN-gb`. Refuses INVALID for what is no language tag. */
export function languageOf(tag: string): Result<string> {
  try {
    const [canonical] = Intl.getCanonicalLocales(tag);
    if (canonical !== undefined) return ok(canonical);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return refused('INVALID', `language: ${tag} is no language like en or pt-BR`);
}

const rangesMax = 10;

/** The languages of an Accept-Language header, best first (RFC 9110 §12.5.4), at most ten; those that are refused (`q=0`) are left out. */
export function acceptedLanguages(header: string | undefined): string[] {
  const ranges = (header ?? '').split(',', rangesMax).map((part, at) => {
    const [range = '', ...parameters] = part.split(';').map((piece) => piece.trim());
    const quality = parameters.find((parameter) => parameter.startsWith('q='));
    return { range, at, weight: quality === undefined ? 1 : Number(quality.slice(2)) };
  });
  return ranges
    .filter(({ range, weight }) => /^[A-Za-z0-9-]{1,35}$/.test(range) && weight > 0)
    .sort((one, other) => other.weight - one.weight || one.at - other.at)
    .map(({ range }) => range);
}

/** The first of the wanted languages that there is, each also by what it begins with: `de` for `de-AT` (lookup, RFC 4647 §3.4). */
export function pickLanguage(wanted: readonly string[], there: readonly string[]): string | undefined {
  for (const range of wanted) {
    for (let tag = range.toLowerCase(); tag !== ''; tag = shortened(tag)) {
      const found = there.find((language) => language.toLowerCase() === tag);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

/** As `pickLanguage`, else the first of the same language as it is spoken elsewhere: `en-US` for `en-GB`. */
export function nearestLanguage(wanted: readonly string[], there: readonly string[]): string | undefined {
  for (const range of wanted) {
    const found = pickLanguage([range], there) ?? there.find((language) => isSameLanguage(range, language));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Whether two tags are of one language, wherever and however it is written: `pt-BR` and `pt`. */
export function isSameLanguage(one: string, other: string): boolean {
  const [first, second] = [one, other].map((tag) => tag.toLowerCase().split('-', 1)[0]);
  return first === second;
}

// A lone letter begins an extension, which says nothing without what follows it.
function shortened(tag: string): string {
  return tag.includes('-') ? tag.replace(/(-[a-z0-9])?-[^-]*$/, '') : '';
}
