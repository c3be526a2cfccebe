import {
  addServing,
  regionalBytes,
  trendingBytes,
  weightAt,
  type HalfLives,
  type SmoothedBytes,
  type Weight,
} from '../../../control-plane/core/popularity.ts';
import { rungCount, type Catalogue } from './catalogue.ts';
import type { Launch } from './demand.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** What one site's boxes have served, or everybody. */
interface Ledger {
  /** By file. */
  readonly weights: (Weight | undefined)[];
  /** By file: bytes since the last settling. */
  readonly served: Float64Array;
}

/**
 * What the control plane knows of popularity, by its own smoothing: what each site's boxes have served, and what was served to everybody. A site's
 * viewers get elsewhere what its boxes do not hold, and count for everybody only.
 */
export class PopularityFeed {
  readonly #catalogue: Catalogue;
  readonly #halfLives: HalfLives;
  readonly #sites: readonly Ledger[];
  readonly #everybody: Ledger;
  #atMs = 0;

  constructor(of: { catalogue: Catalogue; sites: number; halfLives: HalfLives }) {
    const { catalogue, sites, halfLives } = of;
    const ledger = (): Ledger => ({
      weights: new Array<Weight | undefined>(catalogue.fileCount).fill(undefined),
      served: new Float64Array(catalogue.fileCount),
    });
    this.#catalogue = catalogue;
    this.#halfLives = halfLives;
    this.#sites = Array.from({ length: sites }, ledger);
    this.#everybody = ledger();
  }

  /** A site's viewers were served, by its own boxes or from elsewhere. */
  served(serving: { site: number; file: number; bytes: number; isOwn: boolean }): void {
    const { site, file, bytes, isOwn } = serving;
    this.#everybody.served[file]! += bytes;
    if (isOwn) this.#sites[site]!.served[file]! += bytes;
  }

  /** A title comes out: it counts as if it had been as popular as its forecast says for long. */
  launch({ title, viewingsForecast }: Launch, playsPerViewing: readonly number[]): void {
    const { weights } = this.#everybody;
    const { halfLifeMs, fastHalfLifeMs } = this.#halfLives;
    for (let rung = 0; rung < rungCount; rung++) {
      const file = title * rungCount + rung;
      const bytesPerDay = viewingsForecast * playsPerViewing[rung]! * this.#catalogue.fileBytes[file]!;
      const overDays = (ms: number): number => (bytesPerDay * ms) / dayMs / Math.LN2;
      weights[file] = { bytes: overDays(halfLifeMs), fastBytes: overDays(fastHalfLifeMs), atMs: this.#atMs };
    }
  }

  /** Learns everything that was served up to now, as if in the middle of the time since the last settling. */
  settle(day: number): void {
    const beforeMs = this.#atMs;
    this.#atMs = day * dayMs;
    const atMs = (beforeMs + this.#atMs) / 2;
    for (const { weights, served } of [...this.#sites, this.#everybody]) {
      for (let file = 0; file < served.length; file++) {
        const bytes = served[file]!;
        if (bytes > 0) weights[file] = addServing(weights[file], { bytes, atMs }, this.#halfLives);
      }
      served.fill(0);
    }
  }

  /** For each site, by file: how many times the site's viewers want the whole of it, as the control plane reckons it. */
  popularity(): Float64Array[] {
    const everybody = this.#trends(this.#everybody);
    const sites = this.#sites.map((ledger) => this.#trends(ledger));
    const sitesSum = sites.reduce((sum, own) => sum + own.sum, 0);
    return sites.map((own) => {
      // Before the first fill no site has served anything.
      const siteShare = sitesSum === 0 ? 1 / sites.length : own.sum / sitesSum;
      return own.bytes.map((bytes, file) => {
        const wanted = regionalBytes({ own: bytes, everywhere: everybody.bytes[file]!, siteShare });
        return wanted / this.#catalogue.fileBytes[file]!;
      });
    });
  }

  #trends({ weights }: Ledger): { bytes: Float64Array; sum: number } {
    const { fileBytes } = this.#catalogue;
    const smoothed = weights.map((weight) => weightAt(weight, this.#atMs, this.#halfLives));
    const all = smoothed.reduce(add, { bytes: 0, fastBytes: 0 });
    const bytes = Float64Array.from(smoothed, (own, file) =>
      trendingBytes(own, { all, sizeBytes: fileBytes[file]! }),
    );
    return { bytes, sum: all.bytes };
  }
}

function add(a: SmoothedBytes, b: SmoothedBytes): SmoothedBytes {
  return { bytes: a.bytes + b.bytes, fastBytes: a.fastBytes + b.fastBytes };
}
