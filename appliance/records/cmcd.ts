import type { DecodeCmcd } from '../../common/runtime/cmcd-decoder.ts';

/** What is kept of a request's CMCD: keys of the allow-list, each with a small value. */
export type CmcdFacts = Readonly<Record<string, CmcdFact>>;
export type CmcdFact = number | boolean | string | readonly number[];

/** The addon cuts what is longer, and a part must not pass for the whole. */
export const cmcdLengthMax = 1024;

// An allow-list (ADR 6): nothing here names a viewer, a session, a device or what they do besides playing. Left out are
// sid, cid (but see below), nor and nrr (URLs), pt and sn (a trail through the session), cs, ec and every custom key.
const numbers = new Set(
  'ab bl br bsa bsd bsda d dfa lab lb ltc msd mtp pb pr rtp tab tb tbl tpb v'.split(' '),
);
const flags = new Set(['bg', 'bs', 'nr', 'su']);
const tokens = new Set(['ot', 'sf', 'st', 'sta']);
const numberMax = 1e12;
const listMax = 8;
const parametersMax = 64;
const headerNames = ['cmcd-object', 'cmcd-request', 'cmcd-session', 'cmcd-status'];

/**
 * Reads CMCD as a record holds it (`q=` or `h=`, see AccessRecord). Whatever is not a well-formed CMCD gives undefined.
 * `cid` is kept only where `isOurs` says that it names content of ours, not whatever else a player may put there.
 */
export function readCmcd(
  raw: string,
  { decode, isOurs }: { decode: DecodeCmcd; isOurs: (id: string) => boolean },
): CmcdFacts | undefined {
  const text = raw.length > cmcdLengthMax ? undefined : textOf(raw);
  if (text === undefined || text === '') return undefined;
  let decoded: object;
  try {
    decoded = decode(text);
  } catch {
    return undefined;
  }
  const facts: Record<string, CmcdFact> = {};
  for (const [key, value] of Object.entries(decoded) as [string, unknown][]) {
    const fact = key === 'cid' ? idOf(value, isOurs) : factOf(key, value);
    if (fact !== undefined) facts[key] = fact;
  }
  return Object.keys(facts).length === 0 ? undefined : facts;
}

/** CMCD as a record holds it, from a request's target and headers: the query's counts before the headers'. */
export function rawCmcd(
  target: string,
  headers: Readonly<Record<string, string | string[] | undefined>>,
): string | undefined {
  const at = target.indexOf('?');
  const parts = at === -1 ? [] : target.slice(at + 1).split('&', parametersMax);
  const value = parts.find((part) => part.startsWith('CMCD='))?.slice(5) ?? '';
  if (value !== '') return `q=${value}`;
  const told = headerNames.flatMap((name) => headers[name] ?? []).filter((text) => text !== '');
  return told.length === 0 ? undefined : `h=${told.join(',')}`;
}

function textOf(raw: string): string | undefined {
  if (raw.startsWith('h=')) return raw.slice(2);
  if (!raw.startsWith('q=')) return undefined;
  try {
    return decodeURIComponent(raw.slice(2));
  } catch {
    return undefined;
  }
}

function factOf(key: string, value: unknown): CmcdFact | undefined {
  if (flags.has(key)) return value === true ? true : undefined;
  if (tokens.has(key)) {
    const text = typeof value === 'symbol' ? value.description : value;
    return typeof text === 'string' && /^[a-z]{1,2}$/.test(text) ? text : undefined;
  }
  return numbers.has(key) ? numberOf(value) : undefined;
}

/** A number, or in version 2 a list of them, of which each may say what kind of object it is for. */
function numberOf(value: unknown): number | number[] | undefined {
  if (typeof value === 'number') {
    return value >= 0 && value <= numberMax ? value : undefined;
  }
  if (!Array.isArray(value)) return undefined;
  const list = (value as unknown[]).slice(0, listMax).flatMap((item) => {
    const inner: unknown = typeof item === 'object' && item !== null && 'value' in item ? item.value : item;
    return typeof inner === 'number' && inner >= 0 && inner <= numberMax ? [inner] : [];
  });
  return list.length > 1 ? list : list[0];
}

function idOf(value: unknown, isOurs: (id: string) => boolean): string | undefined {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value) && isOurs(value) ? value : undefined;
}
