import type { LRUCache } from 'lru-cache';
import type { Blobs } from '../../../common/adapters/blobs/port.ts';
import type { Records } from '../../../common/adapters/records/port.ts';
import type { RecommendationModels } from '../../../common/contract/recommendation-models.ts';
import type { Viewer } from '../../../common/contract/release.ts';
import type { RowsExplainReply, RowsReply } from '../../../common/contract/rows.ts';
import { growingCache } from '../../../common/core/growing-cache.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { createDebounced, type Debounced } from '../debounce.ts';
import type { PersonalData } from '../personal-data.ts';
import { Learned } from './core/learned.ts';
import { seedOf } from './core/seed.ts';
import { personOf, stranger, type ProfileTaste } from './core/taste-of.ts';
import { explainTitle, type Questioner } from './explain.ts';
import { Learning, type ToldViewing } from './learning.ts';
import { offeredFor } from './meetings.ts';
import { ModelBook } from './models.ts';
import type { RecommendationsOptions, RecommendedProfiles, RecommendedTitles } from './ports.ts';
import { openRecommendationRecords } from './records.ts';
import { makeRows, replyOf, type Asker, type Scene } from './shelf.ts';
import type { RowTickets } from './tickets.ts';
import { Training } from './training.ts';
import { Worlds } from './world.ts';

export interface RecommendationsDependencies {
  readonly records: Records;
  readonly blobs: Blobs;
  readonly titles: RecommendedTitles;
  readonly profiles: RecommendedProfiles;
  readonly tickets: RowTickets;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly options: RecommendationsOptions;
}

/** Who asks for rows. */
export interface RowsAsk {
  /** A profile, or what stands for somebody without one. */
  readonly who: { readonly profileId: string } | { readonly accountId: string };
  readonly viewer: Viewer;
  readonly languages: readonly string[];
  readonly seed: number | undefined;
}

/** A question why a title stands where it stands, for a profile or for somebody who has watched some titles to their ends. */
export interface ExplainAsk {
  readonly titleId: string;
  readonly by: Questioner;
  readonly who: RowsAsk['who'] | { readonly watched: readonly string[] };
  readonly viewer: Viewer;
  readonly languages: readonly string[];
  readonly seed: number | undefined;
}

/** What each profile is shown first, and the models behind it. */
export interface Recommendations {
  rows(ask: RowsAsk): Promise<RowsReply>;
  /** Errors: TITLE_UNKNOWN. */
  explain(ask: ExplainAsk): Promise<RowsExplainReply>;
  models(): Promise<RecommendationModels>;
  /** Begins a training, if none is under way. */
  train(): Promise<RecommendationModels>;
  /** Puts a model in force, whatever it was judged. Errors: MODEL_UNKNOWN. */
  promote(id: string): Promise<RecommendationModels>;
  /** Hears what devices tell of profiles. */
  note(told: ToldViewing): void;
  /** Forgets profiles that are no more. */
  forget(profileIds: readonly string[]): Promise<void>;
  readonly personal: PersonalData;
  /** Brings all that was told into the next rows: for tests and benchmarks. */
  flush(): Promise<void>;
  /** Starts what runs beside requests; ends with the signal. */
  start(signal: AbortSignal): void;
  stop(): Promise<void>;
}

const hourMs = 3_600_000;

/** Opens recommendations. Errors: those of the ports. */
export async function createRecommendations(deps: RecommendationsDependencies): Promise<Recommendations> {
  const service = new RecommendationsService(deps);
  await service.open();
  return service;
}

class RecommendationsService implements Recommendations {
  readonly #deps: RecommendationsDependencies;
  readonly #models: ModelBook;
  readonly #training: Training;
  readonly #learned: Learned;
  readonly #learning: Learning;
  readonly #worlds: Worlds;
  readonly #tastes: LRUCache<string, Promise<ProfileTaste>>;
  readonly #changed: Debounced;
  readonly #stopping = new AbortController();
  #known = new Set<string>();
  #running: Promise<unknown> = Promise.resolve();

  constructor(deps: RecommendationsDependencies) {
    this.#deps = deps;
    const { titles, profiles, clock, log, options } = deps;
    const records = openRecommendationRecords(deps.records);
    this.#tastes = growingCache(options.tastesMax, {
      ...{ ttl: options.tasteKeptMs, ttlResolution: 0 },
      perf: { now: () => clock.nowMs() },
    });
    this.#models = new ModelBook({ ...deps, records, modelsKept: options.modelsKept });
    this.#learned = new Learned({ titlesMax: 2 * 100_000 });
    this.#learning = new Learning({
      ...{ learned: this.#learned, records, clock, log },
      tasteOf: async (profileId) => {
        await titles.current();
        return this.#tasteOf(profileId);
      },
      offeredFor: (id) => offeredFor(titles, id),
      isKnown: (id) => this.#known.has(id),
    });
    this.#worlds = new Worlds({ titles, learned: this.#learned, model: () => this.#models.promoted, clock });
    this.#training = new Training({
      ...{ ...deps, models: this.#models, profiles, options },
      onPromoted: () => {
        this.#modelChanged();
      },
    });
    this.#changed = createDebounced({
      clock,
      delayMs: options.changeDelayMs,
      run: () => this.#refresh(this.#stopping.signal),
      onError: (error) => {
        if (!this.#stopping.signal.aborted)
          log.error({ err: error }, 'rows go by titles as they were; tried again soon');
      },
    });
  }

  async open(): Promise<void> {
    await this.#models.open();
    await this.#learning.open();
    this.#modelChanged();
    this.#deps.titles.onChange(() => {
      this.#worlds.titlesChanged();
      this.#changed.request();
    });
  }

  get personal(): PersonalData {
    return {
      name: 'recommendations',
      // What rows are made of is read anew from viewing state, which hands it over itself; models and trends know nobody.
      export: async () => undefined,
      erase: async (accountId) => {
        await this.forget(await this.#deps.profiles.of(accountId));
      },
      purge: async () => undefined,
    };
  }

  async rows(ask: RowsAsk): Promise<RowsReply> {
    const { titles, tickets } = this.#deps;
    const asker = await this.#askerOf(ask);
    const scene = await this.#sceneOf(ask.viewer);
    const made = makeRows(titles, asker, scene);
    return replyOf({ titles, tickets }, asker, { world: scene.world, made });
  }

  async explain(ask: ExplainAsk): Promise<RowsExplainReply> {
    const { titles } = this.#deps;
    const asker = await this.#askerOf(ask);
    const scene = await this.#sceneOf(ask.viewer);
    const made = makeRows(titles, asker, scene);
    return explainTitle(titles, ask.titleId, { by: ask.by, asker, scene, made });
  }

  async models(): Promise<RecommendationModels> {
    const { promoted, last } = this.#models.state;
    const training = this.#training.current;
    return {
      models: (await this.#models.list()).map(({ sha256: _, ...model }) => model),
      ...(promoted !== undefined && { promoted }),
      ...(training !== undefined && { training }),
      ...(last !== undefined && { last }),
    };
  }

  async train(): Promise<RecommendationModels> {
    this.#training.begin();
    return this.models();
  }

  async promote(id: string): Promise<RecommendationModels> {
    await this.#models.promote(id);
    this.#modelChanged();
    return this.models();
  }

  note(told: ToldViewing): void {
    this.#tastes.delete(told.profileId);
    this.#learning.note(told);
  }

  async forget(profileIds: readonly string[]): Promise<void> {
    await this.#learning.forget(profileIds);
    for (const id of profileIds) this.#tastes.delete(id);
  }

  async flush(): Promise<void> {
    await this.#learning.settled();
    this.#changed.request();
    await this.#changed.flush();
  }

  start(outer: AbortSignal): void {
    const { options } = this.#deps;
    const signal = AbortSignal.any([outer, this.#stopping.signal]);
    const loops = [
      this.#every(options.refreshMs, signal, () => this.#refresh(signal)),
      this.#every(options.keepEveryMs, signal, async () => {
        await this.#learning.keep();
        if (this.#training.isDue()) this.#training.begin();
      }),
    ];
    this.#running = Promise.all(loops);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#training.stop();
    await this.#changed.stop();
    await this.#running;
    await this.#learning.settled();
    await this.#learning.keep();
  }

  /** Does work now and then until the signal. What fails is tried again at the next time. */
  async #every(periodMs: number, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    const { clock, log } = this.#deps;
    while (!signal.aborted) {
      await work().catch((error: unknown) => {
        if (!signal.aborted)
          log.error({ err: error }, 'recommendations are not up to date; tried again soon');
      });
      await clock.sleep(periodMs, { signal }).catch(() => undefined);
    }
  }

  async #refresh(signal: AbortSignal): Promise<void> {
    await this.#deps.titles.current();
    await this.#worlds.refresh(signal);
  }

  #modelChanged(): void {
    this.#known = new Set(this.#models.promoted?.titles);
    this.#learned.forgetTogether((id) => this.#known.has(id));
    this.#changed.request();
  }

  /** What is told while it is read makes it be read again: a promise is kept, not what it came to. */
  #tasteOf(profileId: string): Promise<ProfileTaste> {
    const known = this.#tastes.get(profileId);
    if (known !== undefined) return known;
    const reading = this.#deps.profiles.taste(profileId);
    this.#tastes.set(profileId, reading);
    reading.catch(() => {
      if (this.#tastes.peek(profileId) === reading) this.#tastes.delete(profileId);
    });
    return reading;
  }

  async #askerOf({ who, viewer, languages, seed }: Omit<ExplainAsk, 'titleId' | 'by'>): Promise<Asker> {
    const { titles, clock } = this.#deps;
    const hour = Math.floor(clock.nowMs() / hourMs);
    const [taste] = await Promise.all([
      'profileId' in who ? this.#tasteOf(who.profileId) : undefined,
      titles.current(),
    ]);
    const name = Object.values(who).join(' ');
    return {
      ...{ viewer, languages, taste },
      seed: seed ?? seedOf(`${name} ${hour}`),
      person: this.#personOf('watched' in who ? watchedToTheEnd(titles, who.watched) : taste),
    };
  }

  #personOf(taste: ProfileTaste | undefined) {
    const { titles } = this.#deps;
    return taste === undefined ? stranger : personOf(taste, (id) => offeredFor(titles, id));
  }

  async #sceneOf(viewer: Viewer): Promise<Scene> {
    const { signal } = this.#stopping;
    const world = await this.#worlds.now(signal);
    return {
      world,
      offer: await this.#worlds.offer(world, viewer, signal),
      trending: await this.#worlds.trending(world, viewer.region, signal),
    };
  }
}

/** The taste of somebody who has watched some titles, the latest first, to their ends. */
function watchedToTheEnd(titles: RecommendedTitles, ids: readonly string[]): ProfileTaste {
  const seen = ids.map((titleId, place) => {
    const durationMs = titles.find(titleId)?.durationMs ?? 1;
    return { titleId, positionMs: durationMs, durationMs, progress: 'ended' as const, atMs: -place };
  });
  return { seen, ratings: new Map(), hidden: new Set() };
}
