import type { Viewer } from '../../../common/contract/release.ts';
import type { TitleKind } from '../../../common/contract/title-metadata.ts';
import { nextEpisode } from './next-episode.ts';
import type { TitleRecord } from './records.ts';
import type { Rights } from './rights.ts';
import { kindOf, type Titles } from './titles.ts';

/** What others go by of a title, whatever its state. */
export interface TitleOutline {
  readonly id: string;
  readonly name: string;
  readonly kind: TitleKind;
  readonly parentId: string | undefined;
  readonly year: number | undefined;
  readonly genres: readonly string[];
  readonly people: readonly string[];
  /** Since when it may be had somewhere: since it was made, or its first window has opened. */
  readonly sinceMs: number;
  /** Absent until it is encoded. */
  readonly durationMs?: number;
}

/** Titles in short: cheap, for those who ask often. */
export interface Outlines {
  find(id: string): TitleOutline | undefined;
  /** The ids of all titles, in no order. */
  ids(): string[];
  /** The episode that comes after one, passing over those that a viewer is not shown. */
  next(id: string, viewer: Viewer): TitleOutline | undefined;
}

/** Opens the outlines of titles. */
export function createOutlines(titles: Titles, rights: Rights): Outlines {
  return {
    find(id) {
      const title = titles.find(id);
      return title && outlineOf(title);
    },
    ids: () => titles.ids(),
    next(id, viewer) {
      const title = titles.find(id);
      const next = title && nextEpisode(title, titles, (one) => rights.isShown(one.id, viewer));
      return next && outlineOf(next);
    },
  };
}

function outlineOf(title: TitleRecord): TitleOutline {
  const { details = {}, bundle } = title;
  return {
    ...{ id: title.id, name: title.name, kind: kindOf(title) },
    ...{ parentId: details.parentId, year: details.year, genres: details.genres ?? [] },
    people: (details.people ?? []).map(({ name }) => name),
    sinceMs: Math.max(title.createdAtMs, firstOpening(title)),
    ...(bundle !== undefined && { durationMs: bundle.durationMs }),
  };
}

function firstOpening({ details }: TitleRecord): number {
  const opens = (details?.release?.windows ?? []).map(({ fromMs = 0 }) => fromMs);
  return Math.min(...(opens.length === 0 ? [0] : opens));
}
