import type { Viewing, ViewingCursor } from '../../../common/adapters/viewing/port.ts';
import type { Viewer } from '../../../common/contract/release.ts';
import type {
  ContinueWatching,
  HistoryQuery,
  MyList,
  Ratings,
  ViewingHistory,
} from '../../../common/contract/viewing.ts';
import type {
  RegisterKind,
  ViewingEntry,
  ViewingRegister,
  ViewingRows,
} from '../../../common/core/viewing-state.ts';
import type { WatchedTitle } from './core/judge-report.ts';
import {
  byTitle,
  isForgotten,
  latestFirst,
  progressOf,
  ratingOf,
  resumePosition,
  titlesOf,
  type Progress,
} from './core/shelves.ts';
import { titlesById, type UserTitles } from './ports.ts';

/** What profiles have watched, as it is shown: of titles that there are, and that the viewer may have if one is named. */
export interface WatchedReading {
  continueWatching(profileId: string, viewer?: Viewer): Promise<ContinueWatching>;
  history(profileId: string, query: HistoryQuery, viewer?: Viewer): Promise<ViewingHistory>;
  myList(profileId: string, viewer?: Viewer): Promise<MyList>;
  ratings(profileId: string, viewer?: Viewer): Promise<Ratings>;
  /** Where a title goes on, in milliseconds; undefined: from its start. */
  resume(profileId: string, titleId: string): Promise<number | undefined>;
  /** What recommendations learn a profile's taste from. */
  taste(profileId: string): Promise<ProfileTaste>;
  /** All that is kept of a profile. */
  export(profileId: string): Promise<ViewingRows>;
}

interface SeenTitle {
  readonly titleId: string;
  readonly positionMs: number;
  readonly durationMs: number;
  readonly progress: Progress;
  readonly atMs: number;
}

/** What a profile has shown to like and not to like; nothing of what it wants forgotten. */
interface ProfileTaste {
  /** Where it got to in what it played, the latest first. */
  seen: SeenTitle[];
  /** As `ratingValues` has them; none that was taken back. */
  ratings: { titleId: string; value: number }[];
  /** What is not to be recommended. */
  hidden: string[];
}

// Of what was watched last: who has begun more than this since goes on with something else.
const recentViewings = 200;
const continuedMax = 50;
const registersMax = 10_000;
const pageLength = 1000;
const registerKinds = ['progress', 'list', 'rating', 'forgotten', 'hidden'] as const;

interface Sources {
  viewing: Viewing;
  titles: UserTitles;
}

/** Opens what is shown of viewing state. */
export function readWatched(sources: Sources): WatchedReading {
  const { viewing, titles } = sources;
  const registersOf = async (
    profileId: string,
    kind: RegisterKind,
    titleIds: readonly string[],
  ): Promise<Map<string, ViewingRegister>> => byTitle(await viewing.registersOf(profileId, kind, titleIds));

  return {
    ...readLists(sources),
    async continueWatching(profileId, viewer) {
      const titleIds = titlesOf(await viewing.viewings(profileId, { limit: recentViewings }));
      const forgotten = await registersOf(profileId, 'forgotten', titleIds);
      const progress = [...(await registersOf(profileId, 'progress', titleIds)).values()];
      const known = await titlesById(titles, titleIds, viewer);
      const found = latestFirst(progress).flatMap((register) => {
        const { titleId, stamp, value } = register;
        const durationMs = known.get(titleId)?.durationMs;
        const positionMs = durationMs === undefined ? undefined : resumePosition(value, durationMs);
        if (positionMs === undefined || isForgotten(register, forgotten)) return [];
        return shown(known, titleId, { positionMs, atMs: stamp.atMs });
      });
      return { titles: found.slice(0, continuedMax) };
    },
    async history(profileId, { before, limit }, viewer) {
      const page = await viewing.viewings(profileId, { before: cursorOf(before), limit });
      const forgotten = await registersOf(profileId, 'forgotten', titlesOf(page));
      const known = await titlesById(titles, titlesOf(page), viewer);
      const last = page.at(-1);
      return {
        viewings: page.flatMap((entry) => {
          if (isForgotten(entry, forgotten)) return [];
          const { titleId, viewingId, startedAtMs, stamp, positionMs, watchedMs } = entry;
          return shown(known, titleId, {
            viewingId,
            startedAtMs,
            lastAtMs: stamp.atMs,
            positionMs,
            watchedMs,
          });
        }),
        ...(page.length === limit && last !== undefined && { next: `${last.startedAtMs}-${last.viewingId}` }),
      };
    },
    async resume(profileId, titleId) {
      const progress = (await registersOf(profileId, 'progress', [titleId])).get(titleId);
      if (progress === undefined) return undefined;
      const durationMs = (await titlesById(titles, [titleId])).get(titleId)?.durationMs;
      if (durationMs === undefined) return undefined;
      const forgotten = await registersOf(profileId, 'forgotten', [titleId]);
      return isForgotten(progress, forgotten) ? undefined : resumePosition(progress.value, durationMs);
    },
  };
}

/** What is read of a profile as a whole. */
function readLists({
  viewing,
  titles,
}: Sources): Pick<WatchedReading, 'export' | 'myList' | 'ratings' | 'taste'> {
  const allRegisters = async (profileId: string, kind: RegisterKind): Promise<ViewingRegister[]> => {
    const all: ViewingRegister[] = [];
    for (;;) {
      const page = await viewing.registers(profileId, kind, {
        after: all.at(-1)?.titleId,
        limit: pageLength,
      });
      all.push(...page);
      if (page.length < pageLength || all.length >= registersMax) return all;
    }
  };
  return {
    async myList(profileId, viewer) {
      const listed = (await allRegisters(profileId, 'list')).filter(({ value }) => value === 1);
      const known = await titlesById(titles, idsOf(listed), viewer);
      return {
        titles: latestFirst(listed).flatMap(({ titleId, stamp }) =>
          shown(known, titleId, { atMs: stamp.atMs }),
        ),
      };
    },
    async ratings(profileId, viewer) {
      const rated = (await allRegisters(profileId, 'rating')).filter(({ value }) => value !== 0);
      const known = await titlesById(titles, idsOf(rated), viewer);
      const shownOnes = latestFirst(rated).filter(({ titleId }) => known.has(titleId));
      return {
        ratings: shownOnes.map((register) => ({
          titleId: register.titleId,
          rating: ratingOf(register),
          atMs: register.stamp.atMs,
        })),
      };
    },
    async taste(profileId) {
      const forgotten = byTitle(await allRegisters(profileId, 'forgotten'));
      const progress = await allRegisters(profileId, 'progress');
      const seen = progress.filter((one) => !isForgotten(one, forgotten));
      const known = await titlesById(titles, idsOf(seen));
      const rated = (await allRegisters(profileId, 'rating')).filter(({ value }) => value !== 0);
      const hidden = (await allRegisters(profileId, 'hidden')).filter(({ value }) => value === 1);
      return {
        seen: latestFirst(seen).flatMap(({ titleId, value: positionMs, stamp: { atMs } }) => {
          const durationMs = known.get(titleId)?.durationMs;
          if (durationMs === undefined) return [];
          return { titleId, positionMs, durationMs, progress: progressOf(positionMs, durationMs), atMs };
        }),
        ratings: rated.map(({ titleId, value }) => ({ titleId, value })),
        hidden: idsOf(hidden),
      };
    },
    async export(profileId) {
      const entries: ViewingEntry[] = [];
      for (;;) {
        const page = await viewing.viewings(profileId, { before: entries.at(-1), limit: pageLength });
        entries.push(...page);
        if (page.length < pageLength) break;
      }
      const kinds = await Promise.all(registerKinds.map((kind) => allRegisters(profileId, kind)));
      return { registers: kinds.flat(), entries };
    },
  };
}

/** What is shown of a title; nothing of one that is no longer there. */
function shown<T extends object>(known: ReadonlyMap<string, WatchedTitle>, titleId: string, more: T) {
  const title = known.get(titleId);
  if (title === undefined) return [];
  const { name, durationMs } = title;
  return [{ titleId, name, ...(durationMs !== undefined && { durationMs }), ...more }];
}

function idsOf(registers: readonly ViewingRegister[]): string[] {
  return registers.map(({ titleId }) => titleId);
}

function cursorOf(text: string | undefined): ViewingCursor | undefined {
  if (text === undefined) return undefined;
  const dash = text.indexOf('-');
  return { startedAtMs: Number(text.slice(0, dash)), viewingId: text.slice(dash + 1) };
}
