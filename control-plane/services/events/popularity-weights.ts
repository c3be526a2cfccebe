import {
  addWeights,
  regionalBytes,
  trendingBytes,
  weightAt,
  type HalfLives,
  type SmoothedBytes,
  type Weight,
} from '../../core/popularity.ts';
import type { SitePopularity, SizedFile } from './ports.ts';

/** Where bytes were served: a file at a site; '' where the site is not known. */
export interface ServedAt {
  readonly site: string;
  readonly file: string;
}

// A site that has served little yet is filled by everybody's taste.
const siteShareMin = 0.01;

/** The key of a place in the records: `site/file`, or `file` where the site is not known. */
export function keyOf({ site, file }: ServedAt): string {
  return site === '' ? file : `${site}/${file}`;
}

/** What a key stands for. */
export function placeOf(key: string): ServedAt {
  const slash = key.indexOf('/');
  return { site: key.slice(0, Math.max(0, slash)), file: key.slice(slash + 1) };
}

/** The weights of all files at all sites, and their sums. */
export class PopularityWeights {
  readonly #halfLives: HalfLives;
  readonly #sites = new Map<string, Map<string, Weight>>();
  readonly #siteSums = new Map<string, Weight>();
  readonly #everywhere = new Map<string, Weight>();
  #sum: Weight | undefined;
  #size = 0;

  constructor(halfLives: HalfLives) {
    this.#halfLives = halfLives;
  }

  /** How many files at how many sites. */
  get size(): number {
    return this.#size;
  }

  get({ site, file }: ServedAt): Weight | undefined {
    return this.#sites.get(site)?.get(file);
  }

  /** Of all sites together. */
  everywhere(file: string): Weight | undefined {
    return this.#everywhere.get(file);
  }

  add({ site, file }: ServedAt, weight: Weight): void {
    let files = this.#sites.get(site);
    if (files === undefined) this.#sites.set(site, (files = new Map<string, Weight>()));
    const known = files.get(file);
    if (known === undefined) this.#size++;
    files.set(file, this.#plus(known, weight));
    this.#siteSums.set(site, this.#plus(this.#siteSums.get(site), weight));
    this.#everywhere.set(file, this.#plus(this.#everywhere.get(file), weight));
    this.#sum = this.#plus(this.#sum, weight);
  }

  /** What the viewers of a site want: as of now, for one plan. */
  at(site: string, nowMs: number): Pick<SitePopularity, 'of' | 'siteShare'> {
    const own = this.#sites.get(site);
    const ownSum = weightAt(this.#siteSums.get(site), nowMs, this.#halfLives);
    const sum = weightAt(this.#sum, nowMs, this.#halfLives);
    const siteShare = this.#siteShare(site, nowMs);
    const of = ({ file, sizeBytes }: SizedFile): number => {
      if (sizeBytes === 0) return 0;
      const trending = (weight: Weight | undefined, all: SmoothedBytes): number =>
        trendingBytes(weightAt(weight, nowMs, this.#halfLives), { all, sizeBytes });
      const bytes = {
        own: trending(own?.get(file), ownSum),
        everywhere: trending(this.#everywhere.get(file), sum),
        siteShare,
      };
      return regionalBytes(bytes) / sizeBytes;
    };
    return { of, siteShare };
  }

  /** A site's share of what the boxes of all sites have served. */
  #siteShare(site: string, nowMs: number): number {
    let bytes = 0;
    for (const [name, sum] of this.#siteSums) {
      if (name !== '') bytes += weightAt(sum, nowMs, this.#halfLives).bytes;
    }
    if (bytes === 0) return 1;
    const own = weightAt(this.#siteSums.get(site), nowMs, this.#halfLives).bytes;
    return Math.max(siteShareMin, own / bytes);
  }

  #plus(known: Weight | undefined, weight: Weight): Weight {
    return addWeights(known, weight, this.#halfLives);
  }
}
