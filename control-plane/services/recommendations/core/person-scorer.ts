import { genreLikeness, type Catalogue } from './catalogue.ts';
import { addContentScores, type Met } from './content.ts';
import { interactionsOf } from './interactions.ts';
import { weightBetween } from './item-weights.ts';
import type { Learned } from './learned.ts';
import { levelled, Scorer, type Blend, type Model } from './model.ts';
import type { Work } from './work.ts';

/** A model as it is kept: it knows titles by their ids. */
export interface NamedModel {
  readonly version: string;
  readonly titles: readonly string[];
  readonly model: Model;
  readonly blend: Blend;
}

/** A model beside a catalogue. */
interface BoundModel extends NamedModel {
  /** The title of each item; −1 for one that is no longer offered. */
  readonly titleOf: Int32Array;
  /** The item of each title; −1 for one that the model does not know. */
  readonly itemOf: Int32Array;
}

/** What scores begin with, the same for everybody. */
export interface Basis {
  readonly catalogue: Catalogue;
  readonly bound: BoundModel | undefined;
  /** How popular each title is beside the others: with a mean of 0 and a deviation of 1. */
  readonly popularity: Float64Array;
  /** 1 for what is new, falling to 0 over months. */
  readonly freshness: Float64Array;
}

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

const freshMs = 30 * 86_400_000;
const titlesPerStep = 2000;
/** A person who has met so many titles is known by half. */
const halfKnown = 5;
/** How strongly the same genres speak for a title, beside company. */
const genreSays = 0.1;
/** Of what a person has met, so many of the latest are looked at for company. */
const companyOf = 50;
/** Chosen so that each part has a say: the model leads where it knows a title, content and company where it does not. */
const weights = {
  contentBesideModel: 0.2,
  contentAlone: 0.7,
  popularity: 0.6,
  popularityKept: 0.2,
  freshness: 0.25,
} as const;

/** Makes what scores begin with. */
export function* basisOf(
  { catalogue, named }: { catalogue: Catalogue; named: NamedModel | undefined },
  learned: Learned,
  nowMs: number,
): Work<Basis> {
  const bound = named && bindModel(named, catalogue);
  const { titles } = catalogue;
  const popularity = new Float64Array(titles.length);
  const freshness = new Float64Array(titles.length);
  for (const [index, { id, sinceMs }] of titles.entries()) {
    const item = bound?.itemOf[index] ?? -1;
    const known = item < 0 ? 0 : (bound?.model.popularity[item] ?? 0);
    popularity[index] = Math.max(known, learned.popularityOf(id, nowMs));
    freshness[index] = 2 ** (-Math.max(0, nowMs - sinceMs) / freshMs);
    if (index % titlesPerStep === 0) yield index / titles.length;
  }
  standardised(popularity);
  return { catalogue, bound, popularity, freshness };
}

function bindModel(named: NamedModel, catalogue: Catalogue): BoundModel {
  const titleOf = Int32Array.from(named.titles, (id) => catalogue.indexOf.get(id) ?? -1);
  const itemOf = new Int32Array(catalogue.titles.length).fill(-1);
  for (const [item, title] of titleOf.entries()) if (title >= 0) itemOf[title] = item;
  return { ...named, titleOf, itemOf };
}

/** Scores titles for one person at a time. */
export class PersonScorer {
  readonly #basis: Basis;
  readonly #learned: Learned;
  readonly #scorer: Scorer | undefined;
  readonly #items: Float64Array;
  readonly #model: Float64Array;
  readonly #content: Float64Array;
  readonly #company: Float64Array;
  #experience = 0;

  constructor(basis: Basis, learned: Learned) {
    this.#basis = basis;
    this.#learned = learned;
    this.#scorer = basis.bound && new Scorer(basis.bound.model);
    this.#items = new Float64Array(basis.bound?.model.items ?? 0);
    const one = (): Float64Array => new Float64Array(basis.catalogue.titles.length);
    this.#model = one();
    this.#content = one();
    this.#company = one();
  }

  /** Turns to a person, by what it has met, and writes its score of each title over `scores`. */
  score(met: Met, scores: Float64Array): void {
    const { catalogue, bound, popularity, freshness } = this.#basis;
    const known = met.titles.length;
    this.#experience = known / (known + halfKnown);
    this.#scoreByModel(met);
    this.#content.fill(0);
    if (known > 0) addContentScores(catalogue, met, this.#content);
    levelled(this.#content);
    this.#scoreByCompany(met);
    const own = this.#experience;
    const shared = weights.popularityKept * own + weights.popularity * (1 - own);
    for (let title = 0; title < scores.length; title++) {
      const isKnown = bound !== undefined && bound.itemOf[title]! >= 0;
      const content = this.#content[title]! * (isKnown ? weights.contentBesideModel : weights.contentAlone);
      const personal = this.#model[title]! + content + this.#company[title]!;
      scores[title] = own * personal + shared * popularity[title]! + weights.freshness * freshness[title]!;
    }
  }

  /** What the score of a title is made of, for the person that was turned to. */
  partsOf(title: number, total: number): ScoreParts {
    const { bound, popularity, freshness } = this.#basis;
    const item = bound?.itemOf[title] ?? -1;
    const modelParts = item < 0 ? undefined : this.#scorer?.partsOf(item);
    return {
      ...{ model: this.#model[title]!, content: this.#content[title]!, company: this.#company[title]! },
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

  #scoreByModel(met: Met): void {
    const { bound } = this.#basis;
    this.#model.fill(0);
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
    levelled(this.#items);
    for (const [item, title] of bound.titleOf.entries())
      if (title >= 0) this.#model[title] = this.#items[item]!;
  }

  /** Of titles that the model does not know: how often they were met with what the person has met. */
  #scoreByCompany(met: Met): void {
    const { bound, catalogue } = this.#basis;
    this.#company.fill(0);
    for (const [at, title] of met.titles.subarray(0, companyOf).entries()) {
      const { id } = catalogue.titles[title]!;
      for (const other of Object.keys(this.#learned.togetherWith(id))) {
        const index = catalogue.indexOf.get(other);
        if (index === undefined || (bound !== undefined && bound.itemOf[index]! >= 0)) continue;
        this.#company[index]! += met.weights[at]! * this.#together(id, other);
      }
    }
  }

  /** Without the model: by company, else by genres. */
  #alike(one: number, other: number): number {
    const { catalogue } = this.#basis;
    const together = this.#together(catalogue.titles[one]!.id, catalogue.titles[other]!.id);
    return together > 0 ? together : genreSays * genreLikeness(catalogue, one, other);
  }

  /** As many meetings as half believe it: 0 to 1. */
  #together(one: string, other: string): number {
    const count = this.#learned.togetherWith(one)[other] ?? 0;
    return count / (count + halfKnown);
  }
}

/** Brings values to a mean of 0 and a deviation of 1; those that are all the same to 0. */
function standardised(values: Float64Array): void {
  const count = Math.max(1, values.length);
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count;
  const scale = variance === 0 ? 0 : 1 / Math.sqrt(variance);
  for (let index = 0; index < values.length; index++) values[index] = (values[index]! - mean) * scale;
}
