import type { TitleDetails } from '../../../common/contract/title-metadata.ts';
import type { TitleState, TitleView } from '../../../common/contract/titles.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { availabilityOf } from '../../core/rights.ts';
import { pickLanguage } from '../../../common/core/language.ts';
import type { Departures } from './departures.ts';
import type { EncodeQueue } from './encode-queue.ts';
import type { Ingest } from './ingest.ts';
import type { Fleet, PopularityOf } from './ports.ts';
import { bundlesOf, makingOf, formerSites, type Making } from './making.ts';
import type { TitleRecord } from './records.ts';
import { catalogBundle, madeOf, type TitleBundles } from './title-bundles.ts';
import { kindOf } from './titles.ts';

export interface ViewSources {
  readonly queue: EncodeQueue;
  readonly ingest: Ingest;
  readonly fleet: Fleet;
  readonly bundles: Pick<TitleBundles, 'earlierOf'>;
  readonly departures: Pick<Departures, 'held'>;
  readonly popularityOf: PopularityOf;
  readonly encodeAttemptsMax: number;
  readonly clock: Pick<Clock, 'nowMs'>;
}

/** A title as operators and viewers see it. */
export function titleView(title: TitleRecord, sources: ViewSources): TitleView {
  const bundle = catalogBundle(title);
  return {
    id: title.id,
    name: title.name,
    pinned: title.pinned,
    urgent: title.urgent === true,
    ...(title.forecast !== undefined && { forecast: title.forecast }),
    state: titleState(title),
    createdAtMs: title.createdAtMs,
    ...progressOf(title, title, sources),
    ...(title.error !== undefined && title.phase === 'failed' && { error: title.error }),
    ...(title.bundle !== undefined && { durationMs: title.bundle.durationMs }),
    ...(bundle !== undefined && { bundle: bundle.bundle, sizeBytes: bundle.sizeBytes }),
    renditions: title.bundle?.renditions ?? [],
    holders: bundle === undefined ? [] : sources.fleet.holdersOf(bundle).map(({ id }) => id),
    popularity: popularityOf(title, sources),
    ...(title.waitingSites !== undefined && { waitingSites: title.waitingSites }),
    ...replacementOf(title, sources),
    ...formerOf(title, sources),
    availability: availabilityOf(title.details?.release, sources.clock.nowMs()),
    ...factsOf(title),
  };
}

/** What was watched of its earlier videos counts on. */
function popularityOf(title: TitleRecord, { bundles, popularityOf: popularity }: ViewSources): number {
  const bundle = catalogBundle(title);
  if (bundle === undefined) return 0;
  return [bundle, ...bundles.earlierOf(title)].reduce((sum, one) => sum + popularity(one), 0);
}

function replacementOf(title: TitleRecord, sources: ViewSources): Pick<TitleView, 'replacement'> {
  const { replacement } = title;
  if (replacement === undefined) return {};
  const { phase, bundle, error } = replacement;
  return {
    replacement: {
      ...{ state: phase === 'storing' ? 'queued' : phase, ...progressOf(title, replacement, sources) },
      ...(error !== undefined && phase === 'failed' && { error }),
      ...(bundle !== undefined && { bundle: bundle.bundle }),
    },
  };
}

function formerOf(title: TitleRecord, { departures }: ViewSources): Pick<TitleView, 'former'> {
  const names = new Set(bundlesOf(title).map(({ bundle }) => bundle));
  const former = [
    ...formerSites(title).map(({ bundle: { bundle }, sites }) => ({ bundle, sites: [...sites] })),
    ...departures
      .held('title', title.id)
      .flatMap(({ bundle, heldUntilMs }) => (names.has(bundle) ? [] : [{ bundle, heldUntilMs }])),
  ];
  return former.length === 0 ? {} : { former };
}

function factsOf(title: TitleRecord) {
  const { parentId, number, year, maturity, genres } = title.details ?? {};
  return {
    kind: kindOf(title),
    ...(parentId !== undefined && { parentId }),
    ...(number !== undefined && { number }),
    ...(year !== undefined && { year }),
    ...(maturity !== undefined && { maturity }),
    ...(genres !== undefined && { genres }),
  };
}

/** What is shown of one title, but not in lists. */
export function storyOf({
  details: { synopsis, people } = {},
  ...title
}: TitleRecord): Pick<TitleView, 'synopsis' | 'people' | 'notices'> {
  const { notices } = makingOf(title);
  return {
    ...(synopsis !== undefined && { synopsis }),
    ...(people !== undefined && { people }),
    ...(notices !== undefined && { notices }),
  };
}

export type Translation = NonNullable<TitleDetails['translations']>[number];

/** A title in the first of the wanted languages that it has; what is not translated stays as it is. */
export function translated(
  title: TitleView,
  translations: readonly Translation[],
  wanted: readonly string[],
): TitleView {
  const language = pickLanguage(
    wanted,
    translations.map((one) => one.language),
  );
  const { name, synopsis } = translations.find((one) => one.language === language) ?? {};
  return {
    ...title,
    ...(name !== undefined && { name }),
    ...(synopsis !== undefined && title.synopsis !== undefined && { synopsis }),
  };
}

/** What a title is called in the first of the wanted languages that it has a name in. */
export function nameIn(
  { name, details }: Pick<TitleRecord, 'name' | 'details'>,
  wanted: readonly string[],
): string {
  const named = (details?.translations ?? []).filter((one) => one.name !== undefined);
  const language = pickLanguage(
    wanted,
    named.map((one) => one.language),
  );
  return named.find((one) => one.language === language)?.name ?? name;
}

/** By what a title is found beside its name. */
export interface TitleNames {
  /** What it is called in which language. */
  readonly translations: readonly { readonly language: string; readonly name: string }[];
  readonly aliases: readonly string[];
  readonly people: readonly string[];
  readonly genres: readonly string[];
  readonly synopsis: string;
}

/** Names in all languages, people with their roles' names, genres, synopsis. */
export function namesOf({ details = {} }: TitleRecord): TitleNames {
  const { aliases = [], people = [], genres = [], translations = [], synopsis = '' } = details;
  const named = translations.flatMap(({ language, name }) =>
    name === undefined ? [] : [{ language, name }],
  );
  return {
    translations: named,
    aliases: [...aliases, ...named.map(({ name }) => name)],
    people: people.map(({ name }) => name),
    genres,
    synopsis,
  };
}

/** A live title as a viewer may see it: which nodes hold it and what was left out of it is not theirs to know. */
export function viewerView(view: TitleView): TitleView {
  const {
    waitingSites: _sites,
    replacement: _replacement,
    former: _former,
    notices: _notices,
    ...title
  } = view;
  return { ...title, holders: [] };
}

/** The contract's word for a title's phase. */
export function titleState({ phase }: TitleRecord): TitleState {
  return phase === 'storing' ? 'queued' : phase;
}

/** How many titles with a video there are in each state. */
export function countStates(titles: readonly TitleRecord[]): Record<TitleState, number> {
  const counts = { queued: 0, encoding: 0, filling: 0, live: 0, failed: 0, withdrawn: 0 };
  for (const title of titles) if (title.source.kind !== 'none') counts[titleState(title)]++;
  return counts;
}

function progressOf(
  title: TitleRecord,
  making: Making,
  sources: ViewSources,
): { progress: number; stage: string } {
  switch (making.phase) {
    case 'storing':
      return { progress: sources.ingest.progress(title), stage: 'storing the source' };
    case 'queued':
      return { progress: 0, stage: waitingStage(making, sources) };
    case 'encoding': {
      const { fraction, stage } = sources.queue.progressOf(title.id) ?? { fraction: 0, stage: 'starting' };
      return { progress: fraction, stage };
    }
    case 'filling': {
      const share = making.bundle === undefined ? 0 : sources.fleet.filledShare(madeOf(title, making.bundle));
      return { progress: Math.min(1, Math.max(0, share)), stage: 'filling appliances' };
    }
    case 'live':
      return { progress: 1, stage: 'live' };
    case 'failed':
      return { progress: 0, stage: 'failed' };
    case 'withdrawn':
      return { progress: 1, stage: 'withdrawn' };
  }
}

function waitingStage({ job, error }: Making, { encodeAttemptsMax }: ViewSources): string {
  const attempt = job?.attempt ?? 0;
  if (attempt === 0) return 'waiting for an encoder';
  const why = error === undefined ? '' : ` after ${error.code}`;
  return `waiting for an encoder, attempt ${attempt + 1} of ${encodeAttemptsMax}${why}`.slice(0, 100);
}
