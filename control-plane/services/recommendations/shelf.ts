import type { Viewer } from '../../../common/contract/release.ts';
import type { RowReason, RowsReply, RowTitle } from '../../../common/contract/rows.ts';
import { createSeededChance } from '../../../common/runtime/chance.ts';
import type { ScoredTitles } from './core/best-items.ts';
import { genreTaste, type Met } from './core/content.ts';
import { wholeOffer, type Offer } from './core/offer.ts';
import { rowsOf, type PickedRow, type Reason } from './core/rows.ts';
import { metIn, type Person, type ProfileTaste } from './core/taste-of.ts';
import { offeredFor } from './meetings.ts';
import type { KnownTitle, RecommendedTitles } from './ports.ts';
import type { RowTickets } from './tickets.ts';
import type { World } from './world.ts';

/** For whom rows are made. */
export interface Asker {
  readonly person: Person;
  readonly viewer: Viewer;
  /** Absent where nobody has begun anything. */
  readonly taste: ProfileTaste | undefined;
  readonly languages: readonly string[];
  readonly seed: number;
}

/** What is known of the world for those who may see the same. */
export interface Scene {
  readonly world: World;
  readonly offer: Offer;
  readonly trending: readonly number[];
}

/** A person's rows, and what it has met, for those who explain them. */
export interface Made {
  readonly rows: readonly PickedRow[];
  readonly met: Met;
}

const anchorsMax = 2;
/** Rows are because of one of so many of the latest. */
const anchorsFrom = 6;
const likedFrom = 4;
const continuedMax = 20;
const speakersMax = 4;

/** Makes a person's rows, but what it has begun. */
export function makeRows(titles: RecommendedTitles, asker: Asker, { world, offer, trending }: Scene): Made {
  const { catalogue, scorer, freshness } = world;
  const { person, viewer, seed } = asker;
  const chance = createSeededChance(seed);
  const met = metIn(catalogue, person.meetings);
  const shown = (title: number): boolean => titles.isShown(catalogue.titles[title]?.id ?? '', viewer);
  const anchors = anchorsOf(world, person, { fraction: () => chance.fraction(), shown });
  const without = keptTitles(world, person);
  const besides = anchors.map((title) => ({
    title,
    beside: world.besides.of(title, { offer, also: trending, without }),
  }));
  const rows = rowsOf({
    ...{ catalogue, offer, anchors: besides, trending, freshness },
    // Last: the scorer is asked about this person afterwards.
    scored: masked(scorer.score(met, offer, trending), without),
    genreTaste: genreTaste(catalogue, met),
    speakerFor: (title) =>
      scorer.speakersFor(title, met, speakersMax).find(({ title: other }) => shown(other))?.title,
    mayShow: shown,
    fraction: () => chance.fraction(),
  });
  return { rows, met };
}

/** How well everything that a person may be offered fits, not only what its rows are picked from. */
export function scoreAll({ person }: Asker, { world, offer }: Scene, met: Met): ScoredTitles {
  const scored = world.scorer.score(met, wholeOffer(world, offer.allowed));
  return masked(scored, keptTitles(world, person));
}

/** What a person has met or does not want. */
function keptTitles({ catalogue }: World, { kept }: Person): Set<number> {
  return new Set([...kept.keys()].flatMap((id) => catalogue.indexOf.get(id) ?? []));
}

/** Scores without those of some titles. */
function masked(scored: ScoredTitles, without: ReadonlySet<number>): ScoredTitles {
  for (const title of without) scored.scores[title] = -Infinity;
  return scored;
}

/** The answer: what was begun, then the rows that were made. */
export function replyOf(
  { titles, tickets }: { titles: RecommendedTitles; tickets: RowTickets },
  asker: Asker,
  { world, made }: { world: World; made: Made },
): RowsReply {
  const { languages, seed } = asker;
  const model = world.bound?.version;
  const idOf = (title: number): string => world.catalogue.titles[title]?.id ?? '';
  const named = (title: number) => ({
    titleId: idOf(title),
    name: titles.nameIn(idOf(title), languages),
  });
  const reasonOf = (reason: Reason): RowReason => {
    if (reason.kind === 'because') return { kind: 'because', ...named(reason.title) };
    if (reason.kind === 'genre') return { kind: 'genre', genre: world.catalogue.genres[reason.genre] ?? '' };
    return { kind: reason.kind };
  };
  const shownRow = ({ kind, because, genre, titles: picked }: PickedRow) => ({
    kind,
    ...(because !== undefined && { because: named(because) }),
    ...(genre !== undefined && { genre: world.catalogue.genres[genre] ?? '' }),
    titles: picked.flatMap(({ title, propensity, reason }) => {
      const known = titles.find(idOf(title));
      if (known === undefined) return [];
      return { ...shownTitle(titles, known, languages), reason: reasonOf(reason), propensity };
    }),
  });
  const continued = continuedOf(titles, asker);
  const rows = [
    ...(continued.length === 0 ? [] : [{ kind: 'continue' as const, titles: continued }]),
    ...made.rows.map(shownRow),
  ].filter((row) => row.titles.length > 0);
  return {
    rows: rows.map((row) => ({ ...row, ticket: tickets.write(row, model) })),
    seed,
    ...(model !== undefined && { model }),
  };
}

/** What was begun and not ended, the latest first; of a series where it goes on, with the next episode where one has ended. */
function continuedOf(titles: RecommendedTitles, { taste, person, viewer, languages }: Asker): RowTitle[] {
  const continued: RowTitle[] = [];
  const series = new Set<string>();
  for (const { titleId, progress, positionMs } of taste?.seen ?? []) {
    if (continued.length >= continuedMax) break;
    const offered = offeredFor(titles, titleId);
    if (offered === undefined || progress === 'hardly-begun' || series.has(offered)) continue;
    series.add(offered);
    const reason = person.kept.get(offered);
    if (reason === 'hidden' || reason === 'rated-down' || taste?.hidden.has(titleId) === true) continue;
    const next = progress === 'ended' ? titles.next(titleId, viewer) : undefined;
    const title = progress === 'ended' ? next : titles.find(titleId);
    if (title === undefined || !titles.isShown(title.id, viewer)) continue;
    continued.push({
      ...shownTitle(titles, title, languages),
      ...(next === undefined && { positionMs }),
      reason: { kind: next === undefined ? 'continue' : 'next-episode' },
      propensity: 1,
    });
  }
  return continued;
}

function shownTitle(
  titles: RecommendedTitles,
  { id, kind, durationMs }: KnownTitle,
  languages: readonly string[],
) {
  return {
    ...{ titleId: id, name: titles.nameIn(id, languages), kind },
    ...(durationMs !== undefined && { durationMs }),
  };
}

/** Titles that rows are because of: some of the latest that were liked, by chance. */
function anchorsOf(
  { catalogue }: World,
  { meetings }: Person,
  { fraction, shown }: { fraction: () => number; shown: (title: number) => boolean },
): number[] {
  const known = meetings.flatMap(({ titleId, rating }) => {
    const title = catalogue.indexOf.get(titleId);
    return title === undefined ? [] : [{ title, rating }];
  });
  const liked = known.filter(({ rating }) => rating >= likedFrom);
  const from = (liked.length > 0 ? liked : known).slice(0, anchorsFrom).filter(({ title }) => shown(title));
  const anchors: number[] = [];
  while (anchors.length < anchorsMax && from.length > 0) {
    const [one] = from.splice(Math.floor(fraction() * from.length), 1);
    if (one !== undefined) anchors.push(one.title);
  }
  return anchors;
}
