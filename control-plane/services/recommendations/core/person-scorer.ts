import { sharedScore, type Basis } from './basis.ts';
import type { ScoredTitles } from './best-items.ts';
import { genreLikeness } from './catalogue.ts';
import { ContentScorer, type Met } from './content.ts';
import { interactionsOf } from './interactions.ts';
import { weightBetween } from './item-weights.ts';
import type { Learned } from './learned.ts';
import { levelOf, Scorer, type Blend } from './model.ts';
import type { Offer } from './offer.ts';

/** What a title's score is made of. */
export interface ScoreParts {
  /** By the model, all of its parts together; 0 for a title that it does not know. */
  readonly model: number;
  /** The parts of that; absent for a title that the model does not know. */
  readonly modelParts?: Blend;
  readonly content: number;
  /** With what a new title was met since the model was trained. */
  readonly company: number;
  readonly popularity: number;
  readonly freshness: number;
  /** How much of the score is the person's own, 0 to 1: grows with what it has met. */
  readonly experience: number;
  readonly total: number;
}

/** A person who has met so many titles is known by half. */
const halfKnown = 5;
/** How strongly the same genres speak for a title, beside company. */
const genreSays = 0.1;
/** Of what a person has met, so many of the latest are looked at for company. */
const companyOf = 50;
/** Titles that are scored for a person beside what is scored for everybody. */
const besidesMax = 2000;
/** Chosen so that each part has a say: the model leads where it knows a title, content and company where it does not. */
const contentWeights = { besideModel: 0.2, alone: 0.7 } as const;

/** Scores titles for one person at a time. */
export class PersonScorer {
  readonly #basis: Basis;
  readonly #learned: Learned;
  readonly #scorer: Scorer | undefined;
  /** What the model says of each of its items. */
  readonly #items: Float64Array;
  /** What brings that to a root mean square of 1. */
  #level = 0;
  readonly #content: ContentScorer;
  readonly #company = new Map<number, number>();
  readonly #scores: Float64Array;
  /** Room for what is scored, and what was. */
  #titles: Uint32Array = new Uint32Array(0);
  #scored: Uint32Array = new Uint32Array(0);
  #experience = 0;

  constructor(basis: Basis, learned: Learned) {
    this.#basis = basis;
    this.#learned = learned;
    this.#scorer = basis.bound && new Scorer(basis.bound.model);
    this.#items = new Float64Array(basis.bound?.model.items ?? 0);
    this.#content = new ContentScorer(basis.catalogue);
    this.#scores = new Float64Array(basis.catalogue.titles.length).fill(-Infinity);
  }

  /**
   * Turns to a person, by what it has met, and scores the candidates of an offer, and what it allows beside them of some titles, of those
   * that were made by the same people and of those that were met with the same titles.
   *
   * @returns what was scored, and the score of every title, −Infinity for the others; both are written over by the next call
   */
  score(met: Met, offer: Offer, also: Iterable<number> = []): ScoredTitles {
    const known = met.titles.length;
    this.#experience = known / (known + halfKnown);
    this.#scoreByModel(met);
    this.#content.turnTo(met);
    this.#scoreByCompany(met);
    const scores = this.#scores;
    // As long as nobody else writes scores, only those that were scored before are to be cleared.
    for (const title of this.#scored) scores[title] = -Infinity;
    const titles = (this.#scored = this.#titlesOf(offer, this.#besides(offer, also)));
    const own = this.#experience;
    for (const title of titles)
      scores[title] = own * this.#personalScore(title) + sharedScore(this.#basis, title, own);
    return { titles, scores };
  }

  /** What the score of a title is made of, for the person that was turned to. */
  partsOf(title: number, total: number): ScoreParts {
    const { bound, popularity, freshness } = this.#basis;
    const item = bound?.itemOf[title] ?? -1;
    const modelParts = item < 0 ? undefined : this.#scorer?.partsOf(item);
    return {
      ...{ model: item < 0 ? 0 : this.#level * this.#items[item]!, content: this.#content.of(title) },
      company: this.#company.get(title) ?? 0,
      ...(modelParts !== undefined && { modelParts }),
      ...{ popularity: popularity[title]!, freshness: freshness[title]! },
      ...{ experience: this.#experience, total },
    };
  }

  /** What a person has met that speaks most for a title, the strongest first; nothing that speaks against it. */
  speakersFor(title: number, met: Met, count: number): { title: number; strength: number }[] {
    const { bound } = this.#basis;
    const item = bound?.itemOf[title] ?? -1;
    const speakers: { title: number; strength: number }[] = [];
    for (const [at, other] of met.titles.entries()) {
      const from = bound?.itemOf[other] ?? -1;
      const told =
        bound === undefined || item < 0 || from < 0
          ? this.#alike(other, title)
          : weightBetween(bound.model.ease, from, item);
      const strength = met.weights[at]! * told;
      if (strength > 0 && other !== title) speakers.push({ title: other, strength });
    }
    return speakers.sort((one, two) => two.strength - one.strength || one.title - two.title).slice(0, count);
  }

  #titlesOf({ candidates }: Offer, besides: readonly number[]): Uint32Array {
    const length = candidates.length + besides.length;
    if (this.#titles.length < length) this.#titles = new Uint32Array(length + besidesMax);
    this.#titles.set(candidates);
    this.#titles.set(besides, candidates.length);
    return this.#titles.subarray(0, length);
  }

  #personalScore(title: number): number {
    const item = this.#basis.bound?.itemOf[title] ?? -1;
    const content = this.#content.of(title);
    if (item >= 0) return this.#level * this.#items[item]! + content * contentWeights.besideModel;
    return content * contentWeights.alone + (this.#company.get(title) ?? 0);
  }

  #besides({ allowed, isCandidate }: Offer, also: Iterable<number>): number[] {
    const besides = new Set<number>();
    for (const some of [also, this.#company.keys(), this.#content.besides])
      for (const title of some) {
        if (besides.size === besidesMax) break;
        if (isCandidate[title] === 0 && allowed[title] === 1) besides.add(title);
      }
    return [...besides];
  }

  #scoreByModel(met: Met): void {
    const { bound } = this.#basis;
    this.#items.fill(0);
    this.#level = 0;
    if (bound === undefined || this.#scorer === undefined) return;
    const known = [...met.titles.keys()].filter((at) => bound.itemOf[met.titles[at]!]! >= 0);
    if (known.length === 0) return;
    const user = interactionsOf(
      {
        userOf: new Uint32Array(known.length),
        itemOf: known.map((at) => bound.itemOf[met.titles[at]!]!),
        weightOf: known.map((at) => met.weights[at]!),
      },
      { users: 1, items: bound.model.items },
    );
    this.#scorer.user(user, 0);
    this.#scorer.blend(bound.blend, this.#items);
    this.#level = levelOf(this.#items);
  }

  /** Of titles that the model does not know: how often they were met with what the person has met. */
  #scoreByCompany(met: Met): void {
    const { bound, catalogue } = this.#basis;
    this.#company.clear();
    for (const [at, title] of met.titles.subarray(0, companyOf).entries()) {
      const { id } = catalogue.titles[title]!;
      for (const [other, count] of Object.entries(this.#learned.togetherWith(id))) {
        const index = catalogue.indexOf.get(other);
        if (index === undefined || (bound !== undefined && bound.itemOf[index]! >= 0)) continue;
        const told = met.weights[at]! * believed(count);
        this.#company.set(index, (this.#company.get(index) ?? 0) + told);
      }
    }
  }

  /** Without the model: by company, else by genres. */
  #alike(one: number, other: number): number {
    const { catalogue } = this.#basis;
    const together = this.#learned.togetherWith(catalogue.titles[one]!.id)[catalogue.titles[other]!.id] ?? 0;
    return together > 0 ? believed(together) : genreSays * genreLikeness(catalogue, one, other);
  }
}

/** As many meetings as half believe it: 0 to 1. */
function believed(count: number): number {
  return count / (count + halfKnown);
}
