import { assert } from '../../../common/runtime/errors.ts';
import type { TitleBundle, TitleJob, TitleRecord, TitleReplacement } from './records.ts';

/** A video on its way, or that was the last to be. */
export type Making = Pick<
  TitleRecord,
  | 'phase'
  | 'source'
  | 'sourceSizeBytes'
  | 'sourceStored'
  | 'job'
  | 'error'
  | 'bundle'
  | 'sourceMark'
  | 'captions'
  | 'notices'
>;

/** What is being made of a title, or was last: what is to take the place of its video, else that video. */
export function makingOf(title: TitleRecord): Making {
  return title.replacement ?? title;
}

/** A title with a change of what is being made of it. */
export function withMaking(
  title: TitleRecord,
  change: Partial<Omit<TitleReplacement, 'bundle'>>,
): TitleRecord {
  const { replacement } = title;
  return replacement === undefined
    ? { ...title, ...change }
    : { ...title, replacement: { ...replacement, ...change } };
}

/** A title of which a video is made: it fills the boxes. */
export function withMade(
  title: TitleRecord,
  made: { job: TitleJob; bundle: TitleBundle } & Pick<TitleRecord, 'notices'>,
): TitleRecord {
  const { replacement } = title;
  if (replacement === undefined) return { ...withoutError(title), ...made, phase: 'filling' };
  return { ...title, replacement: { ...withoutError(replacement), ...made, phase: 'filling' } };
}

/** Whether a video is on its way from its source to its files. */
export function isAtWork(title: TitleRecord): boolean {
  const { phase } = makingOf(title);
  return phase === 'storing' || phase === 'queued' || phase === 'encoding';
}

/** Whether viewers can play a title's video, at some site at least. */
export function isOnAir({ phase, bundle }: TitleRecord): boolean {
  return phase === 'live' && bundle !== undefined;
}

/**
 * A title whose replacement has become live at all but these sites: it is what is played; where it is waited for, what was played before
 * goes on.
 */
export function switched(title: TitleRecord, waitingSites: readonly string[]): TitleRecord {
  const { replacement, bundle: old, former = [], waitingSites: oldWaiting, ...rest } = title;
  const {
    job: _job,
    error: _error,
    sourceMark: _mark,
    captions: _captions,
    notices: _notices,
    ...kept
  } = rest;
  assert(replacement?.bundle !== undefined && old !== undefined, `${title.id} has nothing to switch to`);
  const next = { ...kept, ...replacement, phase: 'live' as const };
  const waitedFor = oldWaiting === undefined ? {} : { waitingSites: oldWaiting };
  // The same source makes the same files.
  if (replacement.bundle.bundle === old.bundle)
    return { ...next, ...waitedFor, ...(former.length > 0 && { former }) };
  return {
    ...next,
    ...(waitingSites.length > 0 && { waitingSites: [...waitingSites] }),
    former: [{ bundle: old, ...waitedFor }, ...former],
  };
}

/** What is played at a site: the newest that it does not wait for; undefined where it waits for all. */
export function bundleAt(title: TitleRecord, site: string | undefined): TitleBundle | undefined {
  if (!isOnAir(title) || title.bundle === undefined) return undefined;
  const versions = [{ bundle: title.bundle, waitingSites: title.waitingSites }, ...(title.former ?? [])];
  return versions.find(({ waitingSites = [] }) => site === undefined || !waitingSites.includes(site))?.bundle;
}

/** At which sites each video of before is played yet, the newest first. */
export function formerSites({ waitingSites = [], former = [] }: TitleRecord): {
  readonly bundle: TitleBundle;
  readonly sites: readonly string[];
}[] {
  let waiting = new Set(waitingSites);
  return former.map(({ bundle, waitingSites: own = [] }) => {
    const waitsToo = waiting.intersection(new Set(own));
    const sites = [...waiting.difference(waitsToo)].sort();
    waiting = waitsToo;
    return { bundle, sites };
  });
}

/** A title without the videos of before of these names. */
export function withoutFormer(
  { former = [], ...title }: TitleRecord,
  bundles: ReadonlySet<string>,
): TitleRecord {
  const left = former.filter(({ bundle }) => !bundles.has(bundle.bundle));
  return { ...title, ...(left.length > 0 && { former: left }) };
}

/** All of a title's bundles that are or were on the air, or are to be: the newest first. */
export function bundlesOf({ replacement, bundle, former = [] }: TitleRecord): TitleBundle[] {
  const found = [replacement?.bundle, bundle, ...former.map((one) => one.bundle)];
  const unique = new Map<string, TitleBundle>();
  for (const one of found) if (one !== undefined && !unique.has(one.bundle)) unique.set(one.bundle, one);
  return [...unique.values()];
}

function withoutError<T extends { error?: unknown }>({ error: _, ...rest }: T): Omit<T, 'error'> {
  return rest;
}
