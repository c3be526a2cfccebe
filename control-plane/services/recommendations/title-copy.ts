import { setImmediate } from 'node:timers/promises';
import type { Viewer } from '../../../common/contract/release.ts';
import { pickLanguage } from '../../../common/core/language.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { Log } from '../../../common/runtime/log.ts';
import type { Calls } from '../../apart/interface.ts';
import { nextEpisode } from '../../core/next-episode.ts';
import { byPlace, rightsIn, type Rights, type TitleFamily } from '../../core/title-rights.ts';
import { createListeners } from '../listeners.ts';
import { createTurns } from '../turns.ts';
import { titlesAtOnce, type RecommendedTitle, type titlesTold } from './interfaces.ts';
import type { KnownTitle, RecommendedTitles } from './ports.ts';

export interface TitleCopyOptions {
  readonly told: Calls<typeof titlesTold>;
  readonly clock: Clock;
  readonly log: Log;
}

/** After a failure to hear of titles. */
const againMs = 1000;

/**
 * Titles as recommendations know them, in memory: a row asks of hundreds of thousands whether its viewer may be shown them. It is kept by
 * what changes, and rights are told by the same functions as where titles are kept.
 */
export class TitleCopy implements RecommendedTitles {
  readonly #options: TitleCopyOptions;
  readonly #rights: Rights;
  readonly #family: TitleFamily<RecommendedTitle>;
  readonly #changed = createListeners<undefined>();
  readonly #inTurn = createTurns();
  readonly #titles = new Map<string, RecommendedTitle>();
  /** What is part of a title, in its order. */
  readonly #children = new Map<string, RecommendedTitle[]>();
  #sequence = 0;
  #next: Promise<void> | undefined;

  constructor(options: TitleCopyOptions) {
    this.#options = options;
    this.#family = {
      find: (id) => this.#titles.get(id),
      childrenOf: (id) => this.#children.get(id) ?? [],
      idOf: ({ id }) => id,
      kindOf: ({ kind }) => kind,
      parentIdOf: ({ parentId }) => parentId,
      numberOf: ({ number }) => number,
      licensedOf: (title) => title,
      isLive: ({ isLive }) => isLive,
      hasVideo: ({ hasVideo }) => hasVideo,
    };
    this.#rights = rightsIn(this.#family, () => options.clock.nowMs());
  }

  current(): Promise<void> {
    // Shared by all who ask before it begins; whoever asks later may know of something newer.
    this.#next ??= this.#inTurn(() => {
      this.#next = undefined;
      return this.#catchUp();
    });
    return this.#next;
  }

  find(id: string): KnownTitle | undefined {
    return this.#titles.get(id);
  }

  ids(): string[] {
    return [...this.#titles.keys()];
  }

  next(id: string, viewer: Viewer): KnownTitle | undefined {
    const title = this.#titles.get(id);
    return title && nextEpisode(title, this.#family, (one) => this.#rights.isShown(one.id, viewer));
  }

  isShown(id: string, viewer: Viewer): boolean {
    return this.#rights.isShown(id, viewer);
  }

  nameIn(id: string, languages: readonly string[]): string {
    const { name = '', translations = [] } = this.#titles.get(id) ?? {};
    const language = pickLanguage(
      languages,
      translations.map((one) => one.language),
    );
    return translations.find((one) => one.language === language)?.name ?? name;
  }

  onChange(listener: () => void): () => void {
    return this.#changed.add(listener);
  }

  /** Hears of changes as they happen, until the signal. What fails is tried again. */
  async run(signal: AbortSignal): Promise<void> {
    const { told, clock, log } = this.#options;
    const hear = async (): Promise<void> => {
      await this.current();
      await told.changes({ after: this.#sequence, isAwaited: true }, { signal });
    };
    while (!signal.aborted)
      await hear().catch(async (error: unknown) => {
        if (signal.aborted) return;
        log.error({ err: error }, 'recommendations do not hear of titles; tried again');
        await clock.sleep(againMs, { signal }).catch(() => undefined);
      });
  }

  async #catchUp(): Promise<void> {
    const { sequence, ids } = await this.#options.told.changes({ after: this.#sequence, isAwaited: false });
    if (ids === undefined) {
      const all = await this.#all();
      this.#titles.clear();
      this.#children.clear();
      this.#put(all);
    } else if (ids.length > 0) this.#put(await this.#some(ids));
    this.#sequence = sequence;
  }

  async #all(): Promise<RecommendedTitle[]> {
    const all: RecommendedTitle[] = [];
    for (;;) {
      const { titles } = await this.#options.told.page({ from: all.length });
      if (titles.length === 0) return all;
      all.push(...titles);
      // In one process nothing else would be answered meanwhile.
      await setImmediate();
    }
  }

  async #some(ids: readonly string[]): Promise<RecommendedTitle[]> {
    const some: RecommendedTitle[] = [];
    for (let from = 0; from < ids.length; from += titlesAtOnce)
      some.push(...(await this.#options.told.find({ ids: ids.slice(from, from + titlesAtOnce) })).titles);
    return some;
  }

  #put(titles: readonly RecommendedTitle[]): void {
    const grown = new Set<string>();
    for (const title of titles) {
      this.#leaveParent(this.#titles.get(title.id));
      this.#titles.set(title.id, title);
      const { parentId } = title;
      if (parentId === undefined) continue;
      const siblings = this.#children.get(parentId) ?? [];
      siblings.push(title);
      this.#children.set(parentId, siblings);
      grown.add(parentId);
    }
    for (const id of grown) this.#children.get(id)?.sort(byPlace);
    this.#changed.tell(undefined);
  }

  #leaveParent(title: RecommendedTitle | undefined): void {
    if (title?.parentId === undefined) return;
    const left = this.#children.get(title.parentId)?.filter(({ id }) => id !== title.id) ?? [];
    if (left.length === 0) this.#children.delete(title.parentId);
    else this.#children.set(title.parentId, left);
  }
}
