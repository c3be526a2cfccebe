import type { Viewer } from '../../../common/contract/release.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { catalogueOf, type Catalogue } from './core/catalogue.ts';
import type { Learned } from './core/learned.ts';
import { basisOf, PersonScorer, type Basis, type NamedModel } from './core/person-scorer.ts';
import type { Work } from './core/work.ts';
import { driven } from './drive.ts';
import { standsAlone } from './meetings.ts';
import type { RecommendedTitles } from './ports.ts';

/** What rows are made of for everybody, as of a moment. */
export interface World extends Basis {
  readonly scorer: PersonScorer;
  /** Titles that are begun more than usual in a region, or everywhere, the most first. */
  readonly trending: Map<string, readonly number[]>;
  /** Which titles some viewers may be shown, 1 for each: those of one region and age. Looked at again before anything is shown. */
  readonly allowed: Map<string, Uint8Array>;
}

export interface WorldOptions {
  readonly titles: RecommendedTitles;
  readonly learned: Learned;
  readonly model: () => NamedModel | undefined;
  readonly clock: Clock;
}

const titlesPerStep = 500;
const trendingMax = 100;
/** Regions and ages are few; so many of both are remembered. */
const kindsMax = 200;
const turnMs = 4;

/** Keeps what rows are made of, made anew beside requests: the one before answers meanwhile. */
export class Worlds {
  readonly #options: WorldOptions;
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
  async refresh(signal: AbortSignal): Promise<void> {
    const before = await this.now(signal);
    const next = await this.#make(signal);
    // Whoever was here lately is likely to come again, and shall not wait.
    for (const region of before.trending.keys())
      next.trending.set(region, await driven(this.#trendingIn(next, region), { signal, turnMs }));
    for (const [key, { viewer }] of this.#asked) {
      next.allowed.set(key, await driven(this.#allowedFor(next, viewer), { signal, turnMs }));
    }
    this.#asked.clear();
    this.#world = Promise.resolve(next);
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

  readonly #asked = new Map<string, { viewer: Viewer }>();

  /** Which titles a viewer may be shown, as of some minutes ago at most. */
  async allowed(world: World, viewer: Viewer, signal: AbortSignal): Promise<Uint8Array> {
    const key = `${viewer.region ?? ''} ${viewer.maturityMax}`;
    bound(this.#asked);
    this.#asked.set(key, { viewer });
    const known = world.allowed.get(key);
    if (known !== undefined) return known;
    const found = await driven(this.#allowedFor(world, viewer), { signal, turnMs });
    bound(world.allowed);
    world.allowed.set(key, found);
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
    if (this.#isStale || this.#catalogue === undefined) {
      this.#isStale = false;
      this.#catalogue = await driven(this.#read(), { signal, turnMs });
    }
    const of = { catalogue: this.#catalogue, named: model() };
    const basis = await driven(basisOf(of, learned, clock.nowMs()), { signal, turnMs });
    const scorer = new PersonScorer(basis, learned);
    return { ...basis, scorer, trending: new Map(), allowed: new Map() };
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

  *#allowedFor({ catalogue }: World, viewer: Viewer): Work<Uint8Array> {
    const { titles } = this.#options;
    const allowed = new Uint8Array(catalogue.titles.length);
    for (const [index, { id }] of catalogue.titles.entries()) {
      allowed[index] = titles.isShown(id, viewer) ? 1 : 0;
      if (index % titlesPerStep === 0) yield index / allowed.length;
    }
    return allowed;
  }
}

/** Makes room for one more: the oldest goes. */
function bound(map: Map<string, unknown>): void {
  const [oldest] = map.keys();
  if (map.size >= kindsMax && oldest !== undefined) map.delete(oldest);
}
