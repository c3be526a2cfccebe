import type { Release } from '../../../common/contract/release.ts';
import type { TitleKind } from '../../../common/contract/title-metadata.ts';
import type { TitleRecord } from './records.ts';
import type { Translation } from './title-view.ts';
import { kindOf, titleFamily, type Titles } from './titles.ts';

/** What others go by of a title, whatever its state. */
export interface TitleOutline {
  readonly id: string;
  readonly name: string;
  /** What it is called in which language. */
  readonly translations: Pick<Translation, 'language' | 'name'>[];
  readonly kind: TitleKind;
  readonly parentId: string | undefined;
  /** Its place in what it is part of. */
  readonly number: number | undefined;
  readonly createdAtMs: number;
  readonly genres: string[];
  readonly people: string[];
  /** Since when it may be had somewhere: since it was made, or its first window has opened. */
  readonly sinceMs: number;
  /** Absent until it is encoded. */
  readonly durationMs?: number;
  /** By what rights to it are told, with those of what it is part of. */
  readonly release: Release | undefined;
  readonly maturity: number | undefined;
  readonly isLive: boolean;
  readonly hasVideo: boolean;
}

/** Titles in short: cheap, for those who ask often. */
export interface Outlines {
  find(id: string): TitleOutline | undefined;
  /** Some, the oldest first, from the one of this number on. */
  some(from: number, limit: number): TitleOutline[];
}

/** Opens the outlines of titles. */
export function createOutlines(titles: Pick<Titles, 'find' | 'some'>): Outlines {
  return {
    find(id) {
      const title = titles.find(id);
      return title && outlineOf(title);
    },
    some: (from, limit) => titles.some(from, limit).map(outlineOf),
  };
}

function outlineOf(title: TitleRecord): TitleOutline {
  const { id, name, createdAtMs, details = {}, bundle } = title;
  return {
    ...{ id, name, createdAtMs, kind: kindOf(title) },
    translations: (details.translations ?? []).map(({ language, name: called }) => ({
      ...{ language, ...(called !== undefined && { name: called }) },
    })),
    ...{ parentId: details.parentId, number: details.number, genres: details.genres ?? [] },
    people: (details.people ?? []).map((one) => one.name),
    sinceMs: Math.max(createdAtMs, firstOpening(title)),
    ...(bundle !== undefined && { durationMs: bundle.durationMs }),
    ...{ release: details.release, maturity: details.maturity },
    ...{ isLive: titleFamily.isLive(title), hasVideo: titleFamily.hasVideo(title) },
  };
}

function firstOpening({ details }: TitleRecord): number {
  const opens = (details?.release?.windows ?? []).map(({ fromMs = 0 }) => fromMs);
  return Math.min(...(opens.length === 0 ? [0] : opens));
}
