import { coded } from '../../../common/runtime/errors.ts';
import type { Departures } from './departures.ts';
import { bundlesOf } from './making.ts';
import type { CatalogBundle, EarlierBundle } from './ports.ts';
import type { TitleBundle, TitleRecord } from './records.ts';
import type { TitleChange, Titles } from './titles.ts';

/** What a title's withdrawal takes: what is played of it, and what was before or is to be. */
export interface WithdrawableBundles {
  readonly bundle: CatalogBundle;
  readonly others: readonly CatalogBundle[];
}

/** The bundles of titles, as others need them. */
export interface TitleBundles {
  /** Of every title that is live or filling, with what is held of before. */
  all(): CatalogBundle[];
  /** By name those that other titles are made of. */
  elsewhere(titleId: string): ReadonlyMap<string, CatalogBundle>;
  /** What one takes the place of, the newest first. */
  earlierOf(title: TitleRecord): EarlierBundle[];
  /** Errors: TITLE_NOT_LIVE (it has no files yet), CONFLICT (another title is made of the same bundle, and would go with it). */
  withdrawable(title: TitleRecord): WithdrawableBundles;
}

/** Opens the bundles of titles. */
export function createTitleBundles({
  titles,
  departures,
}: {
  titles: Titles;
  departures: Departures;
}): TitleBundles {
  const publishedOf = (title: TitleRecord): CatalogBundle[] => {
    const found = bundlesOf(title).map((one) => madeOf(title, one));
    const gone = departures.ofTitle(title.id).filter((one) => one.of === 'title');
    return found.map((one, at) => {
      const names = new Set(found.slice(0, at + 1).map(({ bundle }) => bundle));
      const succeeds = [...found.slice(at + 1), ...gone].filter(({ bundle }) => !names.has(bundle));
      return succeeds.length === 0 ? one : { ...one, succeeds };
    });
  };
  const published = (): CatalogBundle[] =>
    titles
      .all()
      .filter(({ phase }) => phase !== 'withdrawn')
      .flatMap(publishedOf);
  const elsewhere = (titleId: string): Map<string, CatalogBundle> => {
    const others = published().filter((one) => one.titleId !== titleId);
    return new Map(others.map((one) => [one.bundle, one]));
  };
  return {
    elsewhere,
    all() {
      const found = published();
      const names = new Set(found.map(({ bundle }) => bundle));
      return [...found, ...departures.held('title').filter(({ bundle }) => !names.has(bundle))];
    },
    earlierOf(title) {
      const gone = departures.ofTitle(title.id).filter((one) => one.of === 'title');
      return [...(title.former ?? []).map(({ bundle }) => bundle), ...gone].filter(
        ({ bundle }) => bundle !== title.bundle?.bundle,
      );
    },
    withdrawable(title) {
      const bundle = catalogBundle(title);
      if (bundle === undefined)
        throw coded(
          'TITLE_NOT_LIVE',
          `${title.name} is ${title.phase === 'storing' ? 'queued' : title.phase}: it has no files`,
        );
      const own = publishedOf(title);
      const twins = elsewhere(title.id);
      for (const { bundle: name } of [bundle, ...own]) {
        const twin = twins.get(name);
        if (twin === undefined) continue;
        throw coded(
          'CONFLICT',
          `${twin.name} (${twin.titleId}) has the very same files; a withdrawal of ${title.name} would take it too`,
        );
      }
      const names = new Set(own.map((one) => one.bundle));
      // What has left, but for what is another title's own.
      const leaving = departures
        .held('title', title.id)
        .filter((one) => !names.has(one.bundle) && !twins.has(one.bundle));
      return { bundle, others: [...own.filter((one) => one.bundle !== bundle.bundle), ...leaving] };
    },
  };
}

/** The bundle of a title that has one, as others need it. */
export function catalogBundle(title: TitleRecord): CatalogBundle | undefined {
  return title.bundle && madeOf(title, title.bundle);
}

/** One of a title's bundles. */
export function madeOf(
  { id, name, pinned, urgent = false, forecast }: TitleRecord,
  { bundle, files, renditions }: TitleBundle,
): CatalogBundle {
  const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  return {
    ...{ titleId: id, name, pinned, urgent, bundle, files, sizeBytes },
    ...(forecast !== undefined && { forecast: { ...forecast, renditions: renditions.length } }),
  };
}

/** Whether what is made of titles' bundles changes with a title. */
export function changesBundles({ before, after }: TitleChange): boolean {
  const [old, now] = [before === undefined ? [] : bundlesOf(before), bundlesOf(after)];
  if (old.length !== now.length) return true;
  if (!now.every(({ bundle }, at) => bundle === old[at]?.bundle)) return true;
  return (
    now.length > 0 &&
    (before?.phase !== after.phase ||
      before.name !== after.name ||
      before.pinned !== after.pinned ||
      before.urgent !== after.urgent ||
      before.forecast !== after.forecast)
  );
}
