import type { Availability, Release } from '../../common/contract/release.ts';
import { ok, refused, type Result } from '../../common/core/result.ts';

/** What rights are told by: of a title itself, then of what it is part of. */
export interface Licensed {
  readonly release?: Release | undefined;
  readonly maturity?: number | undefined;
}

/** What limits a viewer. */
export interface Limits {
  readonly region?: string | undefined;
  readonly maturityMax: number;
}

/** From this age on everything may be seen, also what has no rating. */
export const maturityAll = 18;

type Window = NonNullable<Release['windows']>[number];

/** Windows are of some time. Refuses INVALID. */
export function checkRelease(release: Release): Result<Release> {
  const wrong = release.windows?.findIndex(({ fromMs = 0, toMs = Infinity }) => fromMs >= toMs) ?? -1;
  return wrong < 0 ? ok(release) : refused('INVALID', `release.windows.${wrong}: it ends before it begins`);
}

/** What its own release makes of a title at a time, wherever. */
export function availabilityOf(release: Release | undefined, nowMs: number): Availability {
  if (release === undefined) return 'live';
  if (release.stage !== 'published') return release.stage;
  const { windows = [] } = release;
  if (windows.length === 0 || windows.some((window) => isDuring(window, nowMs))) return 'live';
  return windows.some(({ fromMs = 0 }) => fromMs > nowMs) ? 'scheduled' : 'retired';
}

/**
 * Whether a viewer may have a title: it and all that it is part of are open at this time where the viewer is, and rated for the viewer's
 * age. Who may not see everything sees nothing that is not rated; where it is not known where a viewer is, no window of some regions is open.
 */
export function maySee(titles: readonly Licensed[], { region, maturityMax }: Limits, nowMs: number): boolean {
  if (!titles.every(({ release }) => isOpen(release, { region, nowMs }))) return false;
  if (maturityMax >= maturityAll) return true;
  return (strictest(titles) ?? Infinity) <= maturityMax;
}

/** The strictest of the ratings; undefined where there are none. */
export function strictest(titles: readonly Licensed[]): number | undefined {
  const ratings = titles.flatMap(({ maturity }) => maturity ?? []);
  return ratings.length === 0 ? undefined : Math.max(...ratings);
}

/** From when on a release is open somewhere: now, when its next window opens, or never any more. */
export function opensAtMs(release: Release | undefined, nowMs: number): number {
  if (release === undefined) return nowMs;
  if (release.stage !== 'published') return Infinity;
  const { windows = [] } = release;
  if (windows.length === 0) return nowMs;
  const left = windows.filter(({ toMs = Infinity }) => toMs > nowMs);
  return Math.min(Infinity, ...left.map(({ fromMs = 0 }) => Math.max(fromMs, nowMs)));
}

/** The next time at which a window of a release opens or closes. */
export function nextBoundMs(release: Release | undefined, nowMs: number): number {
  const bounds = (release?.windows ?? []).flatMap(({ fromMs = 0, toMs = Infinity }) => [fromMs, toMs]);
  return Math.min(Infinity, ...bounds.filter((boundMs) => boundMs > nowMs));
}

function isOpen(
  release: Release | undefined,
  { region, nowMs }: { region: string | undefined; nowMs: number },
): boolean {
  if (release === undefined) return true;
  if (release.stage !== 'published') return false;
  const { windows = [] } = release;
  const isHere = ({ regions }: Window): boolean =>
    regions === undefined || (region !== undefined && regions.includes(region));
  return windows.length === 0 || windows.some((window) => isDuring(window, nowMs) && isHere(window));
}

function isDuring({ fromMs = 0, toMs = Infinity }: Window, nowMs: number): boolean {
  return fromMs <= nowMs && nowMs < toMs;
}
