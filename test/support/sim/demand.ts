import { pick, seededRandom } from '../seeded.ts';
import { makeCatalogue, rungCount, sliceMinutes, slicesMax, type Catalogue } from './catalogue.ts';
import { launchRank, Ranking } from './ranking.ts';
import { AliasTable, lognormalFactor, zipfShares, type Random } from './sampling.ts';
import { expandTrace, Viewings, type SiteTrace } from './site-trace.ts';

/** What viewers of some sites ask for. */
export interface DemandOptions {
  readonly seed: number;
  readonly boxesBySite: readonly number[];
  readonly days: number;
  /** At the beginning; each night brings more. */
  readonly titles: number;
  readonly launchesPerNight: number;
  /** Zipf's exponent of titles' popularity. */
  readonly alpha: number;
  /** Share of the titles that change their rank between two days. */
  readonly rankChurn: number;
  readonly viewingsPerBoxDay: number;
}

/** A title that comes out, as its operator knows it the evening before. */
export interface Launch {
  readonly title: number;
  /** Its first day, from 0. */
  readonly day: number;
  /** Viewings expected on that day over all sites; the forecast misses them by an octave, one time in three by more. */
  readonly viewingsForecast: number;
}

export interface Demand {
  readonly catalogue: Catalogue;
  readonly launches: readonly Launch[];
  readonly sites: readonly SiteTrace[];
  /** By rung: how many times a viewing of the title plays the whole file, over all sites. */
  readonly playsPerViewing: readonly number[];
}

export const slotsPerDay = (24 * 60) / sliceMinutes;

/** Viewings begun in each hour, relative to the busiest: trough at four, peak at eight in the evening. */
const hourly = [
  ...[0.42, 0.28, 0.19, 0.14, 0.12, 0.14, 0.2, 0.28, 0.35, 0.4, 0.45, 0.5],
  ...[0.58, 0.6, 0.58, 0.58, 0.62, 0.7, 0.82, 0.95, 1, 1, 0.9, 0.65],
];
/** On two days of each seven. */
const weekendFactor = 1.2;
/** Share of the viewings that follow the site's own taste; the others follow everybody's. */
const ownTasteShare = 0.25;
/** Share of the viewings by rung, the best first; sites differ by up to `rungTiltMax` a rung. */
const rungShares = [0.45, 0.25, 0.15, 0.1, 0.05];
const rungTiltMax = 0.3;
const fromBeginningShare = 0.85;
const toEndShare = 0.5;
/** Of those that leave before the end: the mean share of the title that they watch. */
const leaveAfterShare = 0.25;
/** Players that begin on the next lower rendition and change after the first slice. */
const lowStartShare = 0.2;
const forecastSigmaOctaves = 1;

/** Everything that is drawn from on one day. */
interface Day {
  readonly day: number;
  readonly ranks: AliasTable;
  readonly everybody: Ranking;
  readonly hours: AliasTable;
}

interface Site {
  readonly boxes: number;
  readonly own: Ranking;
  readonly rungs: AliasTable;
  readonly viewings: Viewings;
}

/** Makes all viewings of all sites. The same options give the same demand. */
export function makeDemand(options: DemandOptions): Demand {
  const random = seededRandom(options.seed);
  const { days, titles, launchesPerNight, alpha, rankChurn } = options;
  const catalogue = makeCatalogue(titles + days * launchesPerNight, random);
  const everybody = new Ranking(titles, random);
  const sites = options.boxesBySite.map((boxes) => makeSite({ boxes, titles }, random));
  const launches: Launch[] = [];
  const hours = new AliasTable(hourly);
  for (let day = 0; day < days; day++) {
    for (const ranking of [everybody, ...sites.map(({ own }) => own)]) ranking.churn(rankChurn, random);
    const entries = Array.from({ length: launchesPerNight }, (_, index) => {
      const titleCount = titles + day * launchesPerNight + index;
      return enter(titleCount, { index, rankings: { everybody, sites }, random });
    });
    const shares = zipfShares(everybody.titles.length, alpha);
    for (const { title, rank, ownRanks } of entries) {
      const viewings = expectedViewings(options, { rank, ownRanks, shares });
      launches.push({
        title,
        day,
        viewingsForecast: viewings * lognormalFactor(forecastSigmaOctaves, random),
      });
    }
    const today = { day, ranks: new AliasTable(shares), everybody, hours };
    for (const site of sites) watchDay(site, today, { catalogue, options, random });
  }
  return {
    catalogue,
    launches,
    sites: sites.map(({ viewings }) => expandTrace(viewings, { days, slotsPerDay })),
    playsPerViewing: playsPerViewing(catalogue, sites),
  };
}

function makeSite({ boxes, titles }: { boxes: number; titles: number }, random: Random): Site {
  const tilt = (2 * random() - 1) * rungTiltMax;
  const middle = (rungCount - 1) / 2;
  const rungs = new AliasTable(rungShares.map((share, rung) => share * Math.exp(tilt * (rung - middle))));
  return { boxes, own: new Ranking(titles, random), rungs, viewings: new Viewings() };
}

interface Entry {
  readonly title: number;
  readonly rank: number;
  readonly ownRanks: readonly number[];
}

/** A title comes out: in everybody's ranking, and in each site's own. */
function enter(
  title: number,
  launch: { index: number; rankings: { everybody: Ranking; sites: readonly Site[] }; random: Random },
): Entry {
  const { index, rankings, random } = launch;
  const rank = launchRank(index, { titleCount: title, random });
  rankings.everybody.launch(title, rank);
  const ownRanks = rankings.sites.map(({ own }) => {
    const ownRank = pick(random, title >> 1);
    own.launch(title, ownRank);
    return ownRank;
  });
  return { title, rank, ownRanks };
}

function expectedViewings(
  { boxesBySite, viewingsPerBoxDay }: DemandOptions,
  { rank, ownRanks, shares }: { rank: number; ownRanks: readonly number[]; shares: readonly number[] },
): number {
  const sums = boxesBySite.map((boxes, site) => {
    const share = (1 - ownTasteShare) * shares[rank]! + ownTasteShare * shares[ownRanks[site]!]!;
    return boxes * viewingsPerBoxDay * share;
  });
  return sums.reduce((sum, viewings) => sum + viewings, 0);
}

function watchDay(
  { boxes, own, rungs, viewings }: Site,
  { day, ranks, everybody, hours }: Day,
  { catalogue, options, random }: { catalogue: Catalogue; options: DemandOptions; random: Random },
): void {
  const isWeekend = day % 7 >= 5;
  const count = Math.round(boxes * options.viewingsPerBoxDay * (isWeekend ? weekendFactor : 1));
  const slotsPerHour = slotsPerDay / 24;
  for (let viewing = 0; viewing < count; viewing++) {
    const slot = day * slotsPerDay + hours.draw(random) * slotsPerHour + pick(random, slotsPerHour);
    const ranking = random() < ownTasteShare ? own : everybody;
    const title = ranking.titles[ranks.draw(random)]!;
    const slices = catalogue.slices[title]!;
    const first = random() < fromBeginningShare ? 0 : pick(random, slices);
    const left = slices - first;
    const until = -Math.log(1 - random()) * leaveAfterShare * slices;
    const watched = random() < toEndShare ? left : Math.min(left, 1 + Math.floor(until));
    const rung = rungs.draw(random);
    const isLowStart = rung + 1 < rungCount && random() < lowStartShare;
    viewings.add({ slot, file: title * rungCount + rung, first, count: watched, isLowStart });
  }
}

/** What an operator knows of players in general: measured over the whole demand, the same for every title. */
function playsPerViewing({ fileBytes, sliceBytes }: Catalogue, sites: readonly Site[]): number[] {
  const plays = Array.from({ length: rungCount }, () => 0);
  let count = 0;
  for (const { viewings } of sites) {
    count += viewings.length;
    viewings.each((slice) => {
      const file = Math.floor(slice / slicesMax);
      plays[file % rungCount]! += sliceBytes[slice]! / fileBytes[file]!;
    });
  }
  return plays.map((sum) => sum / count);
}
