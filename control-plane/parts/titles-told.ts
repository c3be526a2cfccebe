import type { Calls } from '../apart/interface.ts';
import type { Outlines, TitleOutline } from '../services/catalog/outlines.ts';
import { changesWaitMs, type ChangeLog, type ChangesSince } from '../services/change-log.ts';
import {
  titlesAtOnce,
  type RecommendedTitle,
  type titlesTold,
} from '../services/recommendations/interfaces.ts';

/** Answers what recommendations ask of titles. `changed` is told of each that was added or changed. */
export function answerTitlesTold(outlines: Outlines, changed: ChangeLog): Calls<typeof titlesTold> {
  return {
    page: async ({ from }) => ({ titles: outlines.some(from, titlesAtOnce).map(recommendedTitle) }),
    find: async ({ ids }) => ({
      titles: ids.flatMap((id) => {
        const title = outlines.find(id);
        return title === undefined ? [] : [recommendedTitle(title)];
      }),
    }),
    changes: async ({ after, isAwaited }, { signal } = {}) =>
      changesTold(await changed.since(after, { waitMs: isAwaited ? changesWaitMs : 0, signal })),
  };
}

/** Changes as an answer to another service. */
export function changesTold({ sequence, keys }: ChangesSince) {
  return keys === undefined ? { sequence } : { sequence, ids: [...keys] };
}

function recommendedTitle(outline: TitleOutline): RecommendedTitle {
  const { id, name, kind, createdAtMs, sinceMs, isLive, hasVideo } = outline;
  const { parentId, number, durationMs, release, maturity } = outline;
  return {
    ...{ id, name, kind, createdAtMs, sinceMs, isLive, hasVideo },
    ...{ translations: outline.translations, genres: outline.genres, people: outline.people },
    ...(parentId !== undefined && { parentId }),
    ...(number !== undefined && { number }),
    ...(durationMs !== undefined && { durationMs }),
    ...(release !== undefined && { release }),
    ...(maturity !== undefined && { maturity }),
  };
}
