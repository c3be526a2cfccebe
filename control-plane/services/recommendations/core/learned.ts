/** What fades: how much of late by a fast half-life, and how much usually by a slow one. */
interface Fading {
  readonly fast: number;
  readonly slow: number;
  readonly atMs: number;
}

/** What is known of a title beside the model: how much it was begun of late, by region, and with what. */
export interface LearnedTitle {
  /** By region; under `*` everywhere. */
  readonly begun: Readonly<Record<string, Fading>>;
  /** How many have met it and another, by the other's id: of titles that the model does not know. */
  readonly together: Readonly<Record<string, number>>;
}

const dayMs = 86_400_000;
const fastMs = 2 * dayMs;
const slowMs = 14 * dayMs;
/** As many beginnings as it takes to be believed. */
const doubt = 3;
const everywhere = '*';
const regionsMax = 64;
const togetherMax = 100;

/** A title as it is when nothing was learned of it. */
const nothing: LearnedTitle = { begun: {}, together: {} };

/**
 * What is learned between two trainings: of each title how often it was begun of late, and for titles that the model does not know yet,
 * with what they were met. Knows of no profile.
 */
export class Learned {
  readonly #titles = new Map<string, LearnedTitle>();
  readonly #titlesMax: number;
  #changed = new Set<string>();

  constructor({ titlesMax }: { titlesMax: number }) {
    this.#titlesMax = titlesMax;
  }

  /** Puts back what an earlier process has learned. */
  restore(titleId: string, learned: LearnedTitle): void {
    this.#titles.set(titleId, learned);
  }

  /** Somebody has begun a title. */
  noteBegun(titleId: string, region: string | undefined, atMs: number): void {
    const before = this.#of(titleId);
    const begun: Record<string, Fading> = { ...before.begun };
    for (const place of region === undefined ? [everywhere] : [everywhere, region]) {
      const held = begun[place];
      if (held === undefined && Object.keys(begun).length >= regionsMax) continue;
      const latestMs = Math.max(atMs, held?.atMs ?? 0);
      const before = fadedTo(held, latestMs);
      // What is told of late has faded meanwhile.
      const own = fadedTo({ fast: 1, slow: 1, atMs }, latestMs);
      begun[place] = { fast: before.fast + own.fast, slow: before.slow + own.slow, atMs: latestMs };
    }
    this.#put(titleId, { ...before, begun });
  }

  /** Somebody has met a title who had met others before: of a title without room the rarest company goes. */
  noteTogether(titleId: string, others: readonly string[]): void {
    for (const other of others) {
      if (other === titleId) continue;
      this.#meet(titleId, other);
      this.#meet(other, titleId);
    }
  }

  /** Forgets with what titles were met: a new model knows. */
  forgetTogether(known: (titleId: string) => boolean): void {
    for (const [titleId, learned] of this.#titles) {
      if (!known(titleId) || Object.keys(learned.together).length === 0) continue;
      this.#put(titleId, { ...learned, together: {} });
    }
  }

  /** How much more than usual a title is begun in a region, or everywhere; 0 for one that nobody begins. */
  trendOf(titleId: string, region: string | undefined, nowMs: number): number {
    const { begun } = this.#titles.get(titleId) ?? nothing;
    const held = (region === undefined ? undefined : begun[region]) ?? begun[everywhere];
    if (held === undefined) return 0;
    const { fast, slow } = fadedTo(held, nowMs);
    const perDay = (weight: number, halfLifeMs: number): number => (weight * Math.LN2 * dayMs) / halfLifeMs;
    const lift = (perDay(fast, fastMs) + doubt) / (perDay(slow, slowMs) + doubt);
    return fast < 0.01 ? 0 : lift * Math.log1p(fast);
  }

  /** ln(1 + how often it was begun of late), everywhere. */
  popularityOf(titleId: string, nowMs: number): number {
    const held = this.#titles.get(titleId)?.begun[everywhere];
    return held === undefined ? 0 : Math.log1p(fadedTo(held, nowMs).slow);
  }

  /** Titles that were begun at all. */
  titleIds(): Iterable<string> {
    return this.#titles.keys();
  }

  /** With what a title was met, and how often. */
  togetherWith(titleId: string): Readonly<Record<string, number>> {
    return this.#titles.get(titleId)?.together ?? nothing.together;
  }

  /** What has changed since this was asked last, to be kept. */
  takeChanged(): [titleId: string, learned: LearnedTitle][] {
    const changed = this.#changed;
    this.#changed = new Set();
    return [...changed].map((titleId) => [titleId, this.#of(titleId)]);
  }

  /** What was learned of a title could not be kept. */
  notKept(titleId: string): void {
    this.#changed.add(titleId);
  }

  #meet(titleId: string, other: string): void {
    const learned = this.#of(titleId);
    const together = { ...learned.together, [other]: (learned.together[other] ?? 0) + 1 };
    const keys = Object.keys(together);
    if (keys.length > togetherMax) {
      const rarest = keys.reduce((least, key) => (together[key]! < together[least]! ? key : least));
      // eslint-disable-next-line @typescript-eslint/no-dynamic-delete
      delete together[rarest];
    }
    this.#put(titleId, { ...learned, together });
  }

  #of(titleId: string): LearnedTitle {
    return this.#titles.get(titleId) ?? nothing;
  }

  #put(titleId: string, learned: LearnedTitle): void {
    if (!this.#titles.has(titleId) && this.#titles.size >= this.#titlesMax) return;
    this.#titles.set(titleId, learned);
    this.#changed.add(titleId);
  }
}

/** A weight as it is at a time. */
function fadedTo(held: Fading | undefined, atMs: number): { fast: number; slow: number } {
  if (held === undefined) return { fast: 0, slow: 0 };
  const passedMs = Math.max(0, atMs - held.atMs);
  return { fast: held.fast * 2 ** (-passedMs / fastMs), slow: held.slow * 2 ** (-passedMs / slowMs) };
}
