import type { LaunchForecast } from '../../../common/contract/titles.ts';
import { createPlayShares, popularityHalfLives } from '../../../control-plane/core/popularity.ts';
import { SessionBook } from '../../../control-plane/core/session-book.ts';
import { PopularityWeights } from '../../../control-plane/services/events/popularity-weights.ts';
import { rungCount, type Catalogue } from './catalogue.ts';

const dayMs = 24 * 3_600_000;

/**
 * What the control plane knows of popularity, by its own cores: which titles' sessions have begun at which site, and what the sites'
 * boxes and the origin have served. What the origin serves says nothing of a site.
 */
export class PopularityFeed {
  readonly #catalogue: Catalogue;
  readonly #book = new SessionBook({ beliefsMax: 10_000_000 });
  readonly #weights = new PopularityWeights(popularityHalfLives);
  /** By site, and the origin's at last; by file: bytes since the last settling. */
  readonly #served: readonly Float64Array[];
  readonly #files: readonly { file: string; sizeBytes: number }[];
  readonly #titles: readonly string[];
  readonly #forecasts = new Map<number, LaunchForecast>();
  #atMs = 0;

  constructor({ catalogue, sites }: { catalogue: Catalogue; sites: number }) {
    this.#catalogue = catalogue;
    this.#served = Array.from({ length: sites + 1 }, () => new Float64Array(catalogue.fileCount));
    this.#files = Array.from(catalogue.fileBytes, (sizeBytes, file) => ({ file: `file-${file}`, sizeBytes }));
    this.#titles = Array.from({ length: catalogue.titleCount }, (_, title) => `title-${title}`);
  }

  /** A viewer at a site begins to watch. */
  begun({ site, title, atDay }: { site: number; title: number; atDay: number }): void {
    const forecast = this.#forecasts.get(title);
    this.#book.begin({ site: siteName(site), bundle: this.#titles[title]!, atMs: atDay * dayMs, forecast });
  }

  /** A site's viewers were served, by its own boxes or by the origin. */
  served({ site, file, bytes, isOwn }: { site: number; file: number; bytes: number; isOwn: boolean }): void {
    const at = isOwn ? site : this.#served.length - 1;
    this.#served[at]![file]! += bytes;
  }

  /** A forecast becomes known. */
  forecast({ title, day, viewingsForecast }: { title: number; day: number; viewingsForecast: number }): void {
    this.#forecasts.set(title, { viewingsPerDay: viewingsForecast, launchAtMs: day * dayMs });
  }

  /** Takes what was served since the last time as served in the middle of it. `atDay` counts from 0 and may be a fraction. */
  settle(atDay: number): void {
    const beforeMs = this.#atMs;
    this.#atMs = atDay * dayMs;
    const atMs = (beforeMs + this.#atMs) / 2;
    this.#served.forEach((served, index) => {
      const site = index === this.#served.length - 1 ? '' : siteName(index);
      for (let file = 0; file < served.length; file++) {
        const bytes = served[file]!;
        if (bytes > 0)
          this.#weights.add({ site, file: this.#files[file]!.file }, { bytes, fastBytes: bytes, atMs });
      }
      served.fill(0);
    });
  }

  /** By file: how many times a site's viewers want the whole of it in a day, as the control plane reckons it. */
  popularity(site: number): Float64Array {
    const viewers = this.#weights.at(siteName(site), this.#atMs);
    const sessions = this.#book.at(siteName(site), this.#atMs)!;
    const popularity = new Float64Array(this.#catalogue.fileCount);
    const played = this.#files.map((file) => ({ sizeBytes: file.sizeBytes, plays: viewers.of(file) }));
    const files = this.#titles.map((_, title) => played.slice(title * rungCount, (title + 1) * rungCount));
    const playShares = createPlayShares(files);
    this.#titles.forEach((name, title) => {
      const expected = sessions(name, this.#forecasts.get(title));
      popularity.set(
        playShares(files[title]!).map((share) => expected * share),
        title * rungCount,
      );
    });
    return popularity;
  }
}

function siteName(site: number): string {
  return `site-${site}`;
}
