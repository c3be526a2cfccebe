import type { PlacementFile } from '../../core/placement.ts';
import { createPlayShares, forecastViewings, timesPerDay } from '../../core/popularity.ts';
import type { FillBundle, FillCatalog, FillPopularity } from './ports.ts';

/** How many times viewers of a site are expected to want the whole of a file. */
export type SiteDemand = (site: string) => (file: Pick<PlacementFile, 'file'>) => number;

/**
 * What each site's viewers want of some bundles, launches by their forecasts. Where sessions are known, a bundle is wanted as often as
 * sessions of it are expected, and what was served says only which of its files they play; else what was served says both. Pictures are
 * wanted as often as they are looked at: no session is of them, and which of their sizes are asked for says nothing of what is played of a
 * title with as many files. Only the proportions at one site mean anything.
 */
export function createSiteDemand(
  catalog: Pick<FillCatalog, 'popularityAt'>,
  bundles: Iterable<FillBundle>,
  nowMs: number,
): SiteDemand {
  const sites = new Map<string, ReadonlyMap<string, number>>();
  return (site) => {
    const demand = sites.get(site) ?? demandOf(catalog.popularityAt(site), bundles, nowMs);
    sites.set(site, demand);
    return ({ file }) => demand.get(file) ?? 0;
  };
}

function demandOf(
  viewers: FillPopularity,
  bundles: Iterable<FillBundle>,
  nowMs: number,
): ReadonlyMap<string, number> {
  const all = [...bundles];
  const played = all
    .filter(({ isPicture }) => isPicture !== true)
    .map((bundle) => ({
      bundle,
      files: bundle.files.map((file) => ({ ...file, plays: viewers.of(file) })),
    }));
  const { sessions } = viewers;
  const demand =
    sessions === undefined ? servedDemand(viewers, played, nowMs) : sessionDemand(sessions, played);
  for (const { isPicture, files } of all) {
    if (isPicture !== true) continue;
    for (const file of files) {
      // What boxes of before tell of pictures counts as played.
      const looks = viewers.of(file) + (viewers.seen?.(file) ?? 0);
      const wanted = sessions === undefined ? looks : timesPerDay(looks);
      // Two pictures may have a size in common.
      demand.set(file.file, Math.max(demand.get(file.file) ?? 0, wanted));
    }
  }
  return demand;
}

interface PlayedBundle {
  readonly bundle: FillBundle;
  readonly files: readonly { readonly file: string; readonly sizeBytes: number; readonly plays: number }[];
}

function sessionDemand(
  sessions: NonNullable<FillPopularity['sessions']>,
  played: readonly PlayedBundle[],
): Map<string, number> {
  const demand = new Map<string, number>();
  const playShares = createPlayShares(played.map(({ files }) => files));
  for (const { bundle, files } of played) {
    const expected = (bundle.succeeds ?? []).reduce(
      (sum, earlier) => sum + sessions(earlier.bundle, undefined),
      sessions(bundle.bundle, bundle.forecast),
    );
    const shares = playShares(files);
    // What is of several bundles is begun by the sessions of each.
    files.forEach(({ file }, index) =>
      demand.set(file, (demand.get(file) ?? 0) + expected * (shares[index] ?? 0)),
    );
  }
  return demand;
}

function servedDemand(
  viewers: FillPopularity,
  played: readonly PlayedBundle[],
  nowMs: number,
): Map<string, number> {
  const demand = new Map<string, number>();
  for (const { bundle, files } of played) {
    const forecast = viewers.siteShare * forecastPlays(bundle.forecast, nowMs);
    const expected = forecast + inheritedPlays(viewers, bundle);
    for (const { file, plays } of files) demand.set(file, Math.max(demand.get(file) ?? 0, plays + expected));
  }
  return demand;
}

/** How often what a bundle takes the place of was wanted whole: which of its files are to be played nothing tells. */
function inheritedPlays(viewers: FillPopularity, { succeeds = [] }: FillBundle): number {
  let plays = 0;
  for (const { files } of succeeds) {
    const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
    const bytes = files.reduce((sum, file) => sum + viewers.of(file) * file.sizeBytes, 0);
    plays += bytes / Math.max(1, sizeBytes);
  }
  return plays;
}

/** How often a forecast has each of a bundle's files wanted whole, over all sites. */
function forecastPlays(forecast: FillBundle['forecast'], nowMs: number): number {
  if (forecast === undefined) return 0;
  return forecastViewings(forecast, nowMs) / Math.max(1, forecast.renditions);
}
