import type { Collection } from '../../../common/adapters/records/collection.ts';
import type { Records } from '../../../common/adapters/records/port.ts';
import type { TitleKind } from '../../../common/contract/title-metadata.ts';
import { coded, valueOf } from '../../../common/runtime/errors.ts';
import { byPlace, type TitleFamily } from '../../core/title-rights.ts';
import { createListeners, type Listeners } from '../listeners.ts';
import { createTurns } from '../turns.ts';
import { checkFamily, type Member } from './core/family.ts';
import { makingOf } from './making.ts';
import { openTitleRecords, type TitleRecord } from './records.ts';

export interface TitleChange {
  readonly before: TitleRecord | undefined;
  readonly after: TitleRecord;
}

/** Where a title stands in the list of all. It stays there. */
export type TitlePlace = Pick<TitleRecord, 'createdAtMs' | 'id'>;

/**
 * The titles, all in memory and each written through: what is read here is on the disk. Changes are made one after
 * another, each upon what the one before has left.
 */
export class Titles {
  readonly #collection: Collection<TitleRecord>;
  readonly #titles = new Map<string, TitleRecord>();
  readonly #byJob = new Map<string, string>();
  readonly #byParent = new Map<string, Set<string>>();
  readonly #byExternalId = new Map<string, string>();
  readonly #byPath = new Map<string, string>();
  /** Ids in the order of `all`; undefined until it is asked for. */
  #oldestFirst: string[] | undefined;
  readonly #titlesMax: number;
  readonly #inTurn = createTurns();
  /** Hears of each title that was added or changed. */
  readonly changes: Listeners<TitleChange> = createListeners();

  private constructor(collection: Collection<TitleRecord>, titlesMax: number) {
    this.#collection = collection;
    this.#titlesMax = titlesMax;
  }

  /** Reads every title. */
  static async open(records: Records, { titlesMax }: { titlesMax: number }): Promise<Titles> {
    const titles = new Titles(openTitleRecords(records), titlesMax);
    for await (const { value } of titles.#collection.all()) titles.#keep(value);
    return titles;
  }

  /** Every title, oldest first. */
  all(): TitleRecord[] {
    return this.some(0, Infinity);
  }

  /** So many titles from the one of this number on, oldest first. */
  some(from: number, limit: number): TitleRecord[] {
    return this.#inOrder()
      .slice(from, from + limit)
      .map((id) => this.get(id));
  }

  /** Those that come after a place in the order, or all, oldest first. To be read before anything is written. */
  *behind(place: TitlePlace | undefined): Generator<TitleRecord> {
    const order = this.#inOrder();
    let [from, end] = [0, place === undefined ? 0 : order.length];
    while (place !== undefined && from < end) {
      const middle = Math.floor((from + end) / 2);
      if (byAge(this.get(order[middle] ?? ''), place) <= 0) from = middle + 1;
      else end = middle;
    }
    for (let at = from; at < order.length; at++) yield this.get(order[at] ?? '');
  }

  #inOrder(): string[] {
    return (this.#oldestFirst ??= [...this.#titles.values()].sort(byAge).map(({ id }) => id));
  }

  /** The ids of all of them, in no order. */
  ids(): string[] {
    return [...this.#titles.keys()];
  }

  /** Titles in one of these phases, in no order. */
  in(...phases: readonly TitleRecord['phase'][]): TitleRecord[] {
    return [...this.#titles.values()].filter(({ phase }) => phases.includes(phase));
  }

  find(id: string): TitleRecord | undefined {
    return this.#titles.get(id);
  }

  /** The title that one of these external ids is of. Errors: TITLE_EXTERNAL_ID_TAKEN where they are of several. */
  ofExternalIds(externalIds: readonly string[]): TitleRecord | undefined {
    const [id, other] = new Set(externalIds.flatMap((one) => this.#byExternalId.get(one) ?? []));
    if (other !== undefined)
      throw coded('TITLE_EXTERNAL_ID_TAKEN', `the ids are of ${id ?? ''} and of ${other}`);
    return id === undefined ? undefined : this.get(id);
  }

  /** The title that was made of a file last. */
  ofPath(path: string): TitleRecord | undefined {
    const id = this.#byPath.get(path);
    return id === undefined ? undefined : this.find(id);
  }

  /** What is part of a title, by number, then the oldest first. */
  childrenOf(id: string): TitleRecord[] {
    return [...(this.#byParent.get(id) ?? [])]
      .map((child) => this.get(child))
      .sort((a, b) => byPlace(placeOf(a), placeOf(b)));
  }

  /** Errors: TITLE_UNKNOWN. */
  get(id: string): TitleRecord {
    const title = this.find(id);
    if (title === undefined) throw coded('TITLE_UNKNOWN', `${id}; see the list of titles`);
    return title;
  }

  /** The title that a job is of. */
  ofJob(jobId: string): TitleRecord | undefined {
    const id = this.#byJob.get(jobId);
    return id === undefined ? undefined : this.get(id);
  }

  /** Errors: OVERLOADED when there are as many as may be; TITLE_PARENT_INVALID, TITLE_CYCLE, TITLE_EXTERNAL_ID_TAKEN. */
  async add(title: TitleRecord): Promise<void> {
    await this.#inTurn(async () => {
      this.check(title);
      if (this.#titles.size >= this.#titlesMax) {
        throw coded('OVERLOADED', `there are ${this.#titlesMax} titles, which is the configured most`);
      }
      await this.#write(title);
    });
  }

  /**
   * Changes a title: `change` is given it as it is and answers what it shall be, or throws. Gives what it is now. Errors:
   * TITLE_PARENT_INVALID, TITLE_CYCLE, TITLE_EXTERNAL_ID_TAKEN.
   */
  async change(id: string, change: (title: TitleRecord) => TitleRecord): Promise<TitleRecord> {
    return await this.#inTurn(async () => {
      const before = this.get(id);
      const next = change(before);
      if (next.details !== before.details) this.check(next);
      await this.#write(next);
      return next;
    });
  }

  /**
   * Whether a title may be as it is to become; `expected` finds what is not there yet. Errors: TITLE_PARENT_INVALID, TITLE_CYCLE,
   * TITLE_EXTERNAL_ID_TAKEN.
   */
  check(title: TitleRecord, expected: (id: string) => Member | undefined = () => undefined): void {
    const taken = title.details?.externalIds?.find((one) => {
      const id = this.#byExternalId.get(one);
      return id !== undefined && id !== title.id;
    });
    if (taken !== undefined)
      throw coded('TITLE_EXTERNAL_ID_TAKEN', `${taken} is the title ${this.#byExternalId.get(taken) ?? ''}`);
    const find = (id: string): Member | undefined => {
      const found = this.find(id);
      return found === undefined ? expected(id) : memberOf(found);
    };
    const children = this.childrenOf(title.id).map(memberOf);
    valueOf(checkFamily(memberOf(title), { find, children }));
  }

  async #write(title: TitleRecord): Promise<void> {
    const before = this.#titles.get(title.id);
    await this.#collection.put(title.id, title);
    this.#keep(title);
    this.changes.tell({ before, after: title });
  }

  #keep(title: TitleRecord): void {
    const held = this.#titles.get(title.id)?.details;
    this.#keepOrder(title);
    this.#titles.set(title.id, title);
    const [before, after] = [held?.parentId, title.details?.parentId];
    for (const id of held?.externalIds ?? []) this.#byExternalId.delete(id);
    for (const id of title.details?.externalIds ?? []) this.#byExternalId.set(id, title.id);
    if (before !== after && before !== undefined) {
      const siblings = this.#byParent.get(before);
      siblings?.delete(title.id);
      if (siblings?.size === 0) this.#byParent.delete(before);
    }
    if (after !== undefined)
      this.#byParent.set(after, (this.#byParent.get(after) ?? new Set()).add(title.id));
    for (const { source, job } of [title, makingOf(title)]) {
      if (source.kind === 'path') this.#byPath.set(source.path, title.id);
      if (job !== undefined) this.#byJob.set(job.jobId, title.id);
    }
  }

  /** The newest comes behind all others; where a clock was set back, all are put in order when that is asked for. */
  #keepOrder(title: TitleRecord): void {
    if (this.#titles.has(title.id)) return;
    const last = this.#oldestFirst?.at(-1);
    if (last !== undefined && byAge(this.get(last), title) < 0) this.#oldestFirst?.push(title.id);
    else this.#oldestFirst = undefined;
  }
}

/** What kind of title it is. */
export function kindOf({ details }: TitleRecord): TitleKind {
  return details?.kind ?? 'movie';
}

/** A title as part of others. */
export function memberOf(title: TitleRecord): Member {
  return { id: title.id, kind: kindOf(title), parentId: title.details?.parentId };
}

function byAge(a: TitlePlace, b: TitlePlace): number {
  if (a.createdAtMs !== b.createdAtMs) return a.createdAtMs - b.createdAtMs;
  if (a.id === b.id) return 0;
  return a.id < b.id ? -1 : 1;
}

function placeOf({ id, createdAtMs, details }: TitleRecord) {
  return { id, createdAtMs, number: details?.number };
}

/** How records of titles hang together. */
export const titleFamily = {
  idOf: ({ id }) => id,
  kindOf,
  parentIdOf: ({ details }) => details?.parentId,
  numberOf: ({ details }) => details?.number,
  licensedOf: ({ details }) => details ?? {},
  isLive: ({ phase }) => phase === 'live',
  hasVideo: ({ source }) => source.kind !== 'none',
} as const satisfies Omit<TitleFamily<TitleRecord>, 'find' | 'childrenOf'>;

/** Titles as parts of one another. */
export function familyOf(titles: Pick<Titles, 'find' | 'childrenOf'>): TitleFamily<TitleRecord> {
  return {
    ...titleFamily,
    find: (id) => titles.find(id),
    childrenOf: (id) => titles.childrenOf(id),
  };
}
