import { LRUCache } from 'lru-cache';
import type { Viewer } from '../../../common/contract/release.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { allowedGroups, groupOf, soonestGroups, type RightsGroup } from './core/rights-groups.ts';
import { maturityAll, strictest } from '../../core/rights.ts';
import type { TitleRecord } from './records.ts';
import type { TitleChange, Titles } from './titles.ts';

/** Groups of titles that viewers may have or not have together: an index of titles knows rights by them. */
export interface RightsGroups {
  /** Those by which a title is shown: its own if it is live; of a series or season those of what is live in it, at most 60: those in force, then those that will be soonest. */
  of(id: string): string[];
  /** Those that a viewer may have now. */
  allowed(viewer: Viewer): string[];
  /** The titles that a change makes another's rights of: itself, what is part of it and what it is part of. */
  touchedBy(change: TitleChange): string[];
}

const groupsOfTitleMax = 60;
const viewersKept = 64;

/** The groups of a title that is played. */
interface TitleGroups {
  readonly own: RightsGroup;
  /** By which it shows what it is part of where that is not rated: only to who may see everything. */
  readonly inUnrated: RightsGroup;
}

/** Keeps groups of all titles. */
export function createRightsGroups(titles: Titles, clock: Pick<Clock, 'nowMs'>): RightsGroups {
  return new Groups(titles, clock);
}

class Groups implements RightsGroups {
  readonly #titles: Titles;
  readonly #clock: Pick<Clock, 'nowMs'>;
  readonly #groups = new Map<string, { readonly group: RightsGroup; titles: number }>();
  readonly #byTitle = new Map<string, TitleGroups>();
  /** By region and age; forgotten when a group comes or goes. */
  readonly #allowed = new LRUCache<string, { readonly keys: string[]; readonly untilMs: number }>({
    max: viewersKept,
  });

  constructor(titles: Titles, clock: Pick<Clock, 'nowMs'>) {
    this.#titles = titles;
    this.#clock = clock;
    for (const title of titles.all()) this.#keep(title);
    titles.changes.add((change) => {
      const isMoved = change.before?.details !== change.after.details;
      for (const title of isMoved ? this.#below(change.after) : [change.after]) this.#keep(title);
    });
  }

  of(id: string): string[] {
    const title = this.#titles.find(id);
    if (title === undefined) return [];
    const isUnrated = title.source.kind === 'none' && strictest(this.#withParents(title)) === undefined;
    const found = this.#shownBy(title).flatMap((one) => {
      const groups = this.#byTitle.get(one.id);
      return groups === undefined ? [] : [isUnrated ? groups.inUnrated : groups.own];
    });
    return soonestGroups(found, { max: groupsOfTitleMax, nowMs: this.#clock.nowMs() });
  }

  allowed(viewer: Viewer): string[] {
    const name = `${viewer.region ?? ''} ${viewer.maturityMax}`;
    const nowMs = this.#clock.nowMs();
    const known = this.#allowed.get(name);
    if (known !== undefined && nowMs < known.untilMs) return known.keys;
    const groups = [...this.#groups.values()].map(({ group }) => group);
    const found = allowedGroups(groups, viewer, nowMs);
    this.#allowed.set(name, found);
    return found.keys;
  }

  touchedBy({ before, after }: TitleChange): string[] {
    const isOfOthers = before?.details !== after.details;
    const below = isOfOthers ? this.#below(after) : [after];
    const above = [before?.details?.parentId, after.details?.parentId].flatMap((id) => this.#above(id));
    return [...new Set([...below.map(({ id }) => id), ...above])];
  }

  #keep(title: TitleRecord): void {
    const isPlayable = title.phase === 'live' && title.source.kind !== 'none';
    const groups = isPlayable ? this.#groupsOf(title) : undefined;
    const before = this.#byTitle.get(title.id);
    if (before?.own.key === groups?.own.key && before?.inUnrated.key === groups?.inUnrated.key) return;
    for (const group of before === undefined ? [] : [before.own, before.inUnrated]) this.#leave(group);
    if (groups === undefined) this.#byTitle.delete(title.id);
    else this.#byTitle.set(title.id, groups);
    for (const group of groups === undefined ? [] : [groups.own, groups.inUnrated]) this.#join(group);
  }

  #groupsOf(title: TitleRecord): TitleGroups {
    const licensed = this.#withParents(title);
    const own = groupOf(licensed);
    const isInUnrated = strictest(licensed.slice(-1)) === undefined && strictest(licensed) !== undefined;
    return { own, inUnrated: isInUnrated ? groupOf([...licensed, { maturity: maturityAll }]) : own };
  }

  #join(group: RightsGroup): void {
    const held = this.#groups.get(group.key);
    if (held !== undefined) {
      held.titles++;
      return;
    }
    this.#groups.set(group.key, { group, titles: 1 });
    this.#allowed.clear();
  }

  #leave({ key }: RightsGroup): void {
    const held = this.#groups.get(key);
    if (held === undefined || --held.titles > 0) return;
    this.#groups.delete(key);
    this.#allowed.clear();
  }

  #withParents(title: TitleRecord) {
    return [title.id, ...this.#above(title.details?.parentId)].map(
      (id) => this.#titles.get(id).details ?? {},
    );
  }

  /** What a title is part of, the nearest first. */
  #above(parentId: string | undefined): string[] {
    if (parentId === undefined) return [];
    return [parentId, ...this.#above(this.#titles.find(parentId)?.details?.parentId)];
  }

  /** What is played of a title: itself, or what is in a series or season. */
  #shownBy(title: TitleRecord): TitleRecord[] {
    if (title.source.kind !== 'none') return [title];
    return this.#titles.childrenOf(title.id).flatMap((child) => this.#shownBy(child));
  }

  /** A title and all that is part of it. */
  #below(title: TitleRecord): TitleRecord[] {
    return [title, ...this.#titles.childrenOf(title.id).flatMap((child) => this.#below(child))];
  }
}
