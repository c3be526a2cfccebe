import { Line } from '../../../../common/contract/primitives.ts';
import { TitleMetadata, type TitleDetails } from '../../../../common/contract/title-metadata.ts';
import { languageOf } from '../../../../common/core/language.ts';
import { checkRelease } from '../../../core/rights.ts';
import { plainLine, plainText, type PlainTextRules } from '../../../../common/core/plain-text.ts';
import { ok, refused, type Result } from '../../../../common/core/result.ts';
import { conforms } from '../../../../common/core/schema-check.ts';

const lineMax = 200;
const synopsisMax = 5000;
/** More than any metadata have that are no longer than a request may be. */
const valuesMax = 1_000_000;

const rules = (what: string, lettersMax: number): PlainTextRules => ({
  ...{ what, lettersMax },
  code: 'TITLE_TEXT_INVALID',
});

/** A title's name as it is kept (see `plainLine`). Refuses TITLE_TEXT_INVALID. */
export function titleName(typed: string): Result<string> {
  const line = plainLine(typed, rules('name', lineMax));
  return line.ok ? holdable(line.value, { schema: Line, what: 'name', code: 'TITLE_TEXT_INVALID' }) : line;
}

type Translation = NonNullable<TitleDetails['translations']>[number];
type Person = NonNullable<TitleDetails['people']>[number];

/**
 * Metadata as they are kept: texts plain, names of languages as they are written (BCP 47), lists without doubles, fields always in one
 * order, so that equal metadata are equal as JSON. Refuses TITLE_TEXT_INVALID for a text, INVALID for a language or a window, and for
 * what is more than a record holds: ids are added by import after import, and texts may become longer by NFC.
 */
export function checkMetadata(typed: TitleMetadata): Result<TitleMetadata> {
  const { kind, parentId, number, year, maturity } = typed;
  const checked = gather<TitleMetadata>({
    name: titleName(typed.name),
    ...{ kind: ok(kind), parentId: ok(parentId), number: ok(number), year: ok(year), maturity: ok(maturity) },
    synopsis: optional(typed.synopsis, (text) => plainText(text, rules('synopsis', synopsisMax))),
    aliases: listOf(typed.aliases, (text, at) => plainLine(text, rules(`aliases.${at}`, lineMax))),
    genres: listOf(typed.genres, (text, at) => plainLine(text, rules(`genres.${at}`, lineMax))),
    people: listOf(typed.people, checkPerson),
    translations: checkTranslations(typed.translations),
    release: optional(typed.release, checkRelease),
    externalIds: listOf(typed.externalIds, ok),
  });
  if (!checked.ok) return checked;
  for (const [field, schema] of Object.entries(TitleMetadata.properties)) {
    const value = checked.value[field as keyof TitleMetadata];
    const fits = value === undefined ? checked : holdable(value, { schema, what: field, code: 'INVALID' });
    if (!fits.ok) return fits;
  }
  return checked;
}

function holdable<T>(
  value: T,
  { schema, what, code }: { schema: object; what: string; code: 'INVALID' | 'TITLE_TEXT_INVALID' },
): Result<T> {
  if (conforms(schema, value, { values: valuesMax }) === true) return ok(value);
  return refused(code, `${what} is more than is kept of a title`);
}

function checkPerson({ name, role, character }: Person, at: number): Result<Person> {
  return gather<Person>({
    name: plainLine(name, rules(`people.${at}.name`, lineMax)),
    role: ok(role),
    character: optional(character, (text) => plainLine(text, rules(`people.${at}.character`, lineMax))),
  });
}

function checkTranslations(typed: TitleDetails['translations']): Result<Translation[] | undefined> {
  const checked = listOf(typed, ({ language, name, synopsis }: Translation, at) =>
    gather<Translation>({
      language: languageOf(language),
      name: optional(name, (text) => plainLine(text, rules(`translations.${at}.name`, lineMax))),
      synopsis: optional(synopsis, (text) =>
        plainText(text, rules(`translations.${at}.synopsis`, synopsisMax)),
      ),
    }),
  );
  if (!checked.ok) return checked;
  const languages = (checked.value ?? []).map(({ language }) => language);
  const twice = languages.find((language, at) => languages.indexOf(language) < at);
  return twice === undefined ? checked : refused('INVALID', `translations: ${twice} is there twice`);
}

type Checks<T> = { readonly [K in keyof T]-?: Result<T[K]> | Result<T[K] | undefined> };

/** All of the fields, or the first refusal; what is undefined is left out. */
function gather<T extends object>(checks: Checks<T>): Result<T> {
  const kept: Partial<T> = {};
  for (const name of Object.keys(checks) as (keyof T)[]) {
    const check = checks[name];
    if (!check.ok) return check;
    if (check.value !== undefined) kept[name] = check.value;
  }
  return ok(kept as T);
}

function optional<T, U>(value: T | undefined, check: (value: T) => Result<U>): Result<U | undefined> {
  return value === undefined ? ok(undefined) : check(value);
}

/** Undefined for an empty list too. */
function listOf<T, U>(
  typed: readonly T[] | undefined,
  check: (one: T, at: number) => Result<U>,
): Result<U[] | undefined> {
  const kept = new Map<string, U>();
  for (const [at, one] of (typed ?? []).entries()) {
    const checked = check(one, at);
    if (!checked.ok) return checked;
    kept.set(JSON.stringify(checked.value), checked.value);
  }
  return ok(kept.size === 0 ? undefined : [...kept.values()]);
}
