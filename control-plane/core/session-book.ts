import type { LaunchForecast } from '../../common/contract/titles.ts';
import { addServing, popularityHalfLives, weightAt, type Weight } from './popularity.ts';
import {
  afterSession,
  beliefAt,
  expectedShare,
  forecastChances,
  usualChances,
  type Belief,
  type Moment,
} from './viewings.ts';

/** A session that has begun. */
export interface BegunSession {
  /** Where its viewer is; undefined where that is not known. */
  readonly site: string | undefined;
  /** The country that its viewer is in; undefined where that is not known. */
  readonly region?: string | undefined;
  readonly bundle: string;
  readonly atMs: number;
  readonly forecast?: LaunchForecast | undefined;
}

/** How many sessions have begun at a place: a site, a region, or everywhere. */
export interface PlaceSessions {
  readonly sessions: number;
  /** A session counts 1, and fades by the half-life of popularity. */
  readonly recent: Weight;
  /** Of a site: the region that most of its sessions are from, and how many more of them lately than of all others. */
  readonly region?: SiteRegion;
}

export interface SiteRegion {
  readonly name: string;
  readonly lead: number;
}

/** What changed with a session at one place. */
export interface BookChange {
  readonly place: string;
  readonly sessions: PlaceSessions;
  readonly bundle: string;
  /** Undefined where there was no room for another title. */
  readonly belief: Belief | undefined;
}

/** How many sessions of a bundle are expected to begin in a day. */
export type ExpectedSessions = (bundle: string, forecast: LaunchForecast | undefined) => number;

/** The place of all sessions. */
export const everywhere = '';

/** The place of a region's sessions: no site has such a name. */
export function regionPlace(region: string): string {
  return `+${region}`;
}

const dayMs = 86_400_000;
// Of what never came, no more than that is held against it.
const silentMsMax = 4 * dayMs;

/**
 * How much of a place's sessions follow the taste of what is around it: of a site its region, of a region everybody; the others follow its own.
 * Of a site half, since nobody knows: where a quarter really are the site's own, 0.5 to 0.9 hit the same within 1 %. Of a region three quarters:
 * in trials a new site hits 2 to 4 % of its sessions more where countries differ, as with a half, and a small one loses half as much where they do not.
 */
const aroundShares = { site: 0.5, region: 0.75 } as const;
/** So many sessions from elsewhere and a site is elsewhere, however long it was where it was. */
const leadMax = 1000;

/** Plans come far more often than what they go by changes: shares are reckoned anew after so long. */
const viewMs = 600_000;

interface Place {
  counted: PlaceSessions;
  readonly beliefs: Map<string, Belief>;
  /** The shares as of a moment that is not long past. */
  view?: ShareView;
  /** The same of a region, with its part of everybody's. */
  whole?: ShareView;
}

/** A place's shares as of one moment, each reckoned when it is first asked for. */
interface ShareView {
  readonly atMs: number;
  readonly shareOf: (bundle: string) => number;
}

/** What is believed of titles of which nothing is known: of their share of everybody's sessions, and of a place's own. */
interface Usual {
  readonly titles: number;
  readonly all: Float64Array;
  readonly site: Float64Array;
  readonly region: Float64Array;
}

/**
 * Which titles sessions are of, at each site, in each region and everywhere. A title's share of a site's sessions is what it has of its region's,
 * and what the site's own viewers add; its share of a region's what it has of everybody's, and what the region adds. What is around is known from
 * very many sessions, and a few of a place's own tell what it adds.
 */
export class SessionBook {
  readonly #places = new Map<string, Place>();
  readonly #beliefsMax: number;
  #size = 0;
  #usual = usualOf(1);

  /** @param options.beliefsMax how many titles are known at most, each at each place. */
  constructor({ beliefsMax }: { beliefsMax: number }) {
    this.#beliefsMax = beliefsMax;
  }

  /** Puts back how many sessions an earlier process has counted. */
  restorePlace(name: string, counted: PlaceSessions): void {
    this.#place(name, counted.recent.atMs).counted = counted;
  }

  /** Puts back what an earlier process has learned of a title. */
  restoreBelief(name: string, bundle: string, belief: Belief): void {
    this.#believe(this.#place(name, belief.atMs), bundle, belief);
  }

  /** Learns from a session. They come in the order in which they have begun. */
  begin({ site, region, bundle, atMs, forecast }: BegunSession): BookChange[] {
    this.#renewUsual();
    const all = this.#place(everywhere, atMs);
    const usual = this.#usual;
    const first = (): Belief => firstBelief(all, { atMs, usual: usual.all, forecast });
    const changes = [this.#learn(everywhere, { bundle, atMs, first, known: 0, usual: usual.all })];
    let share = shareIn(changes[0]);
    for (const [kind, name] of [
      ['region', region === undefined ? undefined : regionPlace(region)],
      ['site', site],
    ] as const) {
      if (name === undefined) continue;
      const own = this.#place(name, atMs);
      if (kind === 'site' && region !== undefined)
        own.counted = { ...own.counted, region: afterRegion(own.counted.region, region) };
      const firstOwn = (): Belief =>
        silentBelief(own, { atMs, usual: usual[kind], sinceMs: forecast?.launchAtMs });
      const known = aroundShares[kind] * share;
      const change = this.#learn(name, { bundle, atMs, first: firstOwn, known, usual: usual[kind] });
      changes.push(change);
      share = known + shareIn(change);
    }
    return changes;
  }

  /** What a site's viewers want; undefined as long as no session of theirs is known. */
  at(site: string, nowMs: number): ExpectedSessions | undefined {
    const all = this.#places.get(everywhere);
    const own = this.#places.get(site);
    if (all === undefined || own === undefined) return undefined;
    this.#renewUsual();
    const usual = this.#usual;
    const perDay = sessionsPerMs(own, nowMs) * dayMs;
    const region = own.counted.region && this.#places.get(regionPlace(own.counted.region.name));
    const shareOfAll = sharesOf(all, { atMs: nowMs, usual: usual.all });
    const shareOfRegion = region && sharesOf(region, { atMs: nowMs, usual: usual.region });
    const shareAround =
      region === undefined ? shareOfAll : wholeSharesOf(region, { atMs: nowMs, usual, shareOfAll });
    const shareOfSite = sharesOf(own, { atMs: nowMs, usual: usual.site });
    return (bundle, forecast) => {
      if (forecast === undefined || all.beliefs.has(bundle))
        return perDay * (aroundShares.site * shareAround(bundle) + shareOfSite(bundle));
      let around = expectedShare(firstBelief(all, { atMs: nowMs, usual: usual.all, forecast }).chances);
      if (shareOfRegion !== undefined) around = aroundShares.region * around + shareOfRegion(bundle);
      return perDay * (aroundShares.site * around + shareOfSite(bundle));
    };
  }

  #learn(
    name: string,
    of: { bundle: string; atMs: number; first: () => Belief; known: number; usual: Float64Array },
  ): BookChange {
    const { bundle, atMs, first, known, usual } = of;
    const place = this.#place(name, atMs);
    const now = { atMs, sessions: place.counted.sessions };
    const before = place.beliefs.get(bundle);
    place.counted = {
      ...place.counted,
      sessions: now.sessions + 1,
      recent: addServing(place.counted.recent, { bytes: 1, atMs }),
    };
    const change = { place: name, sessions: place.counted, bundle };
    if (before === undefined && this.#size >= this.#beliefsMax) return { ...change, belief: undefined };
    const belief = afterSession(beliefAt(before ?? first(), now, usual), known);
    this.#believe(place, bundle, belief);
    return { ...change, belief };
  }

  #place(name: string, atMs: number): Place {
    const known = this.#places.get(name);
    if (known !== undefined) return known;
    const recent = { bytes: 0, fastBytes: 0, atMs };
    const place = { counted: { sessions: 0, recent }, beliefs: new Map<string, Belief>() };
    this.#places.set(name, place);
    return place;
  }

  #believe({ beliefs }: Place, bundle: string, belief: Belief): void {
    if (!beliefs.has(bundle)) this.#size++;
    beliefs.set(bundle, belief);
  }

  #renewUsual(): void {
    const titles = this.#places.get(everywhere)?.beliefs.size ?? 0;
    // An octave of titles more or less changes little, and costs a search.
    if (titles > this.#usual.titles || titles < this.#usual.titles / 4) this.#usual = usualOf(titles);
  }
}

function usualOf(titles: number): Usual {
  const rounded = 2 ** Math.ceil(Math.log2(titles + 1));
  const ownOf = (aroundShare: number) => usualChances(rounded / (1 - aroundShare));
  const { site, region } = aroundShares;
  return { titles: rounded, all: usualChances(rounded), site: ownOf(site), region: ownOf(region) };
}

/** A title's share of its place's own taste. */
function shareIn(change: BookChange | undefined): number {
  return change?.belief === undefined ? 0 : expectedShare(change.belief.chances);
}

/** Where a site is after one more session: those of one region count for it, those of others against it. */
function afterRegion(before: SiteRegion | undefined, region: string): SiteRegion {
  if (before === undefined || before.lead === 0) return { name: region, lead: 1 };
  const lead = before.name === region ? Math.min(leadMax, before.lead + 1) : before.lead - 1;
  return { name: before.name, lead };
}

function sessionsPerMs({ counted }: Place, nowMs: number): number {
  return (weightAt(counted.recent, nowMs).bytes * Math.LN2) / popularityHalfLives.halfLifeMs;
}

/** What is believed of a title none of whose sessions is known. */
function firstBelief(
  place: Place,
  { atMs, usual, forecast }: { atMs: number; usual: Float64Array; forecast: LaunchForecast | undefined },
): Belief {
  const perDay = sessionsPerMs(place, atMs) * dayMs;
  if (forecast === undefined || forecast.viewingsPerDay === 0 || perDay === 0)
    return silentBelief(place, { atMs, usual, sinceMs: forecast?.launchAtMs });
  const chances = forecastChances(forecast.viewingsPerDay / perDay);
  return silentBelief(place, { atMs, usual, sinceMs: forecast.launchAtMs, chances });
}

/** What is believed now of a title that had such chances then, and no session since. */
function silentBelief(
  place: Place,
  of: { atMs: number; usual: Float64Array; sinceMs?: number | undefined; chances?: Float64Array },
): Belief {
  const { atMs, usual, sinceMs = -Infinity, chances = usual } = of;
  const silentMs = Math.max(0, Math.min(silentMsMax, atMs - sinceMs));
  const { sessions } = place.counted;
  const since = Math.max(0, sessions - silentMs * sessionsPerMs(place, atMs));
  return beliefAt({ chances, atMs: atMs - silentMs, sessions: since }, { atMs, sessions }, usual);
}

/** A title's share of a region's sessions, everybody's part included: remembered, since every site of the region asks for it. */
function wholeSharesOf(
  region: Place,
  { atMs, usual, shareOfAll }: { atMs: number; usual: Usual; shareOfAll: (bundle: string) => number },
): (bundle: string) => number {
  const { whole } = region;
  if (whole !== undefined && isFresh(whole, atMs)) return whole.shareOf;
  const shareOfRegion = sharesOf(region, { atMs, usual: usual.region });
  const shares = new Map<string, number>();
  const shareOf = (bundle: string): number => {
    let share = shares.get(bundle);
    if (share === undefined) {
      share = aroundShares.region * shareOfAll(bundle) + shareOfRegion(bundle);
      shares.set(bundle, share);
    }
    return share;
  };
  region.whole = { atMs, shareOf };
  return shareOf;
}

function isFresh(view: ShareView, atMs: number): boolean {
  return atMs >= view.atMs && atMs - view.atMs < viewMs;
}

/** A title's share of a place's sessions. Most titles have none, and one share together. */
function sharesOf(
  place: Place,
  { atMs, usual }: { atMs: number; usual: Float64Array },
): (bundle: string) => number {
  const { view } = place;
  if (view !== undefined && isFresh(view, atMs)) return view.shareOf;
  const now: Moment = { atMs, sessions: place.counted.sessions };
  const silent = expectedShare(silentBelief(place, { atMs, usual }).chances);
  const shares = new Map<string, number>();
  const shareOf = (bundle: string): number => {
    const known = shares.get(bundle);
    if (known !== undefined) return known;
    const belief = place.beliefs.get(bundle);
    if (belief === undefined) return silent;
    const share = expectedShare(beliefAt(belief, now, usual).chances);
    shares.set(bundle, share);
    return share;
  };
  place.view = { atMs, shareOf };
  return shareOf;
}
