import type { Catalogue } from './catalogue.ts';
import type { Learned } from './learned.ts';
import type { Blend, Model } from './model.ts';
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

const freshMs = 30 * 86_400_000;
const titlesPerStep = 2000;
const weights = { popularity: 0.6, popularityKept: 0.2, freshness: 0.25 } as const;

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

/**
 * What a title's score has of what everybody watches and of its age, for somebody of so much experience (0 to 1): the more is known of a
 * person, the less others have to say.
 */
export function sharedScore({ popularity, freshness }: Basis, title: number, experience: number): number {
  const share = weights.popularityKept * experience + weights.popularity * (1 - experience);
  return share * popularity[title]! + weights.freshness * freshness[title]!;
}

function bindModel(named: NamedModel, catalogue: Catalogue): BoundModel {
  const titleOf = Int32Array.from(named.titles, (id) => catalogue.indexOf.get(id) ?? -1);
  const itemOf = new Int32Array(catalogue.titles.length).fill(-1);
  for (const [item, title] of titleOf.entries()) if (title >= 0) itemOf[title] = item;
  return { ...named, titleOf, itemOf };
}

/** Brings values to a mean of 0 and a deviation of 1; those that are all the same to 0. */
function standardised(values: Float64Array): void {
  const count = Math.max(1, values.length);
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count;
  const scale = variance === 0 ? 0 : 1 / Math.sqrt(variance);
  for (let index = 0; index < values.length; index++) values[index] = (values[index]! - mean) * scale;
}
