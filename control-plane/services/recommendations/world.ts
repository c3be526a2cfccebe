import type { Viewer } from '../../../common/contract/release.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { createTurns } from '../turns.ts';
import { Besides } from './besides.ts';
import { catalogueOf, type Catalogue } from './core/catalogue.ts';
import type { Learned } from './core/learned.ts';
import { basisOf, type Basis, type NamedModel } from './core/basis.ts';
import { offerOf, type Offer } from './core/offer.ts';
import { PersonScorer } from './core/person-scorer.ts';
import { within, type Work } from './core/work.ts';
import { driven } from './drive.ts';
import { standsAlone } from './meetings.ts';
import type { RecommendedTitles } from './ports.ts';

/** What rows are made of for everybody, as of a moment. */
export interface World extends Basis {
  readonly scorer: PersonScorer;
  readonly besides: Besides;
  /** Titles that are begun more than usual in a region, or everywhere, the most first. */
  readonly trending: Map<string, readonly number[]>;
  /** What viewers of one region and age may be offered. Looked at again before anything is shown. */
  readonly offers: Map<string, Offer>;
}

export interface WorldOptions {
  readonly titles: Omit<RecommendedTitles, 'current'>;
  readonly learned: Learned;
  readonly model: () => NamedModel | undefined;
  readonly clock: Clock;
}

const titlesPerStep = 500;
const trendingMax = 100;
/** Regions and ages are few; so many of both are remembered. */
const kindsMax = 200;
const turnMs = 4;

/** Keeps what rows are made of, made anew beside requests, once at a time: the one before answers meanwhile. */
export class Worlds {
  readonly #options: WorldOptions;
  readonly #inTurn = createTurns();
  /** Viewers of each region and age who asked since the world was made. */
  #asked = new Map<string, Viewer>();
  #catalogue: Catalogue | undefined;
  #world: Promise<World> | undefined;
  #isStale = true;

  constructor(options: WorldOptions) {
    this.#options = options;
  }

  /** Titles have changed: the next refresh reads them. */
  titlesChanged(): void {
    this.#isStale = true;
  }

  /** The world as it was made last; the first who asks waits for it. */
  now(signal: AbortSignal): Promise<World> {
    return (this.#world ??= this.#first(signal));
  }

  /** Makes it anew. Errors: ABORTED. */
  refresh(signal: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      const before = await this.now(signal);
      const asked = this.#asked;
      this.#asked = new Map();
      const next = await this.#make(signal);
      // Whoever was here lately is likely to come again, and shall not wait.
      for (const region of before.trending.keys())
        next.trending.set(region, await driven(this.#trendingIn(next, region), { signal, turnMs }));
      for (const [key, viewer] of asked)
        next.offers.set(key, await driven(this.#offerFor(next, viewer), { signal, turnMs }));
      this.#world = Promise.resolve(next);
    });
  }

  /** What is begun more than usual where a viewer is, the most first. */
  async trending(world: World, region: string | undefined, signal: AbortSignal): Promise<readonly number[]> {
    const known = world.trending.get(region ?? '');
    if (known !== undefined) return known;
    const found = await driven(this.#trendingIn(world, region ?? ''), { signal, turnMs });
    bound(world.trending);
    world.trending.set(region ?? '', found);
    return found;
  }

  /** What a viewer may be offered, as of some minutes ago at most. */
  async offer(world: World, viewer: Viewer, signal: AbortSignal): Promise<Offer> {
    const key = `${viewer.region ?? ''} ${viewer.maturityMax}`;
    bound(this.#asked);
    this.#asked.set(key, viewer);
    const known = world.offers.get(key);
    if (known !== undefined) return known;
    const found = await driven(this.#offerFor(world, viewer), { signal, turnMs });
    bound(world.offers);
    world.offers.set(key, found);
    return found;
  }

  async #first(signal: AbortSignal): Promise<World> {
    try {
      return await this.#make(signal);
    } catch (error) {
      this.#world = undefined;
      throw error;
    }
  }

  async #make(signal: AbortSignal): Promise<World> {
    const { learned, model, clock } = this.#options;
    const catalogue = await this.#catalogueNow(signal);
    const of = { catalogue, named: model() };
    const basis = await driven(basisOf(of, learned, clock.nowMs()), { signal, turnMs });
    const scorer = new PersonScorer(basis, learned);
    return { ...basis, scorer, besides: new Besides(scorer), trending: new Map(), offers: new Map() };
  }

  async #catalogueNow(signal: AbortSignal): Promise<Catalogue> {
    const known = this.#catalogue;
    if (known !== undefined && !this.#isStale) return known;
    // What changes while they are read is read next time; where that fails, all of it is.
    this.#isStale = false;
    try {
      return (this.#catalogue = await driven(this.#read(), { signal, turnMs }));
    } catch (error) {
      this.#isStale = true;
      throw error;
    }
  }

  *#read(): Work<Catalogue> {
    const { titles } = this.#options;
    const ids = titles.ids().sort();
    const offered = [];
    for (const [number, id] of ids.entries()) {
      const title = titles.find(id);
      if (title !== undefined && standsAlone(title)) offered.push(title);
      if (number % titlesPerStep === 0) yield number / ids.length / 2;
    }
    return yield* catalogueOf(offered);
  }

  *#trendingIn({ catalogue }: World, region: string): Work<readonly number[]> {
    const { learned, clock } = this.#options;
    const nowMs = clock.nowMs();
    const found: { title: number; trend: number }[] = [];
    let count = 0;
    for (const id of learned.titleIds()) {
      const title = catalogue.indexOf.get(id);
      const trend = learned.trendOf(id, region === '' ? undefined : region, nowMs);
      if (title !== undefined && trend > 0) found.push({ title, trend });
      if (count++ % titlesPerStep === 0) yield 0;
    }
    found.sort((one, other) => other.trend - one.trend || one.title - other.title);
    return found.slice(0, trendingMax).map(({ title }) => title);
  }

  *#offerFor(world: World, viewer: Viewer): Work<Offer> {
    const { titles } = this.#options;
    const { catalogue } = world;
    const allowed = new Uint8Array(catalogue.titles.length);
    for (const [index, { id }] of catalogue.titles.entries()) {
      allowed[index] = titles.isShown(id, viewer) ? 1 : 0;
      if (index % titlesPerStep === 0) yield index / allowed.length / 2;
    }
    return yield* within([0.5, 1], offerOf(world, allowed));
  }
}

/** Makes room for one more: the oldest goes. */
function bound(map: Map<string, unknown>): void {
  const [oldest] = map.keys();
  if (map.size >= kindsMax && oldest !== undefined) map.delete(oldest);
}
