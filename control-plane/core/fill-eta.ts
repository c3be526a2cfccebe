import type { FillWindow } from '../../common/contract/documents.ts';
import { fillWindow } from '../../common/core/fill-window.ts';

/** What decides when bytes will have come. */
export interface FillPace {
  readonly nowMs: number;
  /** How fast it goes while it may; undefined where nothing tells. */
  readonly bytesPerSecond: number | undefined;
  /** When it may; undefined for at any time. */
  readonly window: FillWindow | undefined;
  /** The site's, see fillWindow. */
  readonly chance: number;
}

/** A time in which bytes flow, and for how long they did before it. */
interface Opening {
  readonly fromMs: number;
  readonly untilMs: number;
  readonly flowedMs: number;
}

// Every night for half a year: what takes longer has no time worth telling.
const openingsMax = 200;

/**
 * Tells when so many bytes will have come: they flow at the pace while the window is open, and not while it is closed. Undefined
 * where the pace is not known, or they would take more than half a year.
 */
export function createEta(pace: FillPace): (bytes: number) => number | undefined {
  const { bytesPerSecond, nowMs } = pace;
  if (bytesPerSecond === undefined || bytesPerSecond <= 0) return () => undefined;
  const openings: Opening[] = [firstOpening(pace)];
  return (bytes) => {
    const needMs = (bytes * 1000) / bytesPerSecond;
    for (let at = 0; at < openingsMax; at++) {
      const last = openings.at(-1) ?? firstOpening(pace);
      const opening = openings[at] ?? nextOpening(pace, last);
      if (at === openings.length) openings.push(opening);
      const leftMs = needMs - opening.flowedMs;
      if (leftMs <= opening.untilMs - opening.fromMs)
        return Math.ceil(Math.max(nowMs, opening.fromMs + leftMs));
    }
    return undefined;
  };
}

/** When the window opens next, where it is closed now. */
export function opensAt({ nowMs, window, chance }: FillPace): number | undefined {
  if (window === undefined) return undefined;
  const { open, untilMs } = fillWindow(window, nowMs, { chance });
  return open ? undefined : untilMs;
}

function firstOpening(pace: FillPace): Opening {
  if (pace.window === undefined) return { fromMs: pace.nowMs, untilMs: Infinity, flowedMs: 0 };
  return openingFrom(pace.nowMs, pace.window, { chance: pace.chance, flowedMs: 0 });
}

function nextOpening({ window, chance }: FillPace, last: Opening): Opening {
  const flowedMs = last.flowedMs + last.untilMs - last.fromMs;
  return window === undefined ? last : openingFrom(last.untilMs, window, { chance, flowedMs });
}

function openingFrom(
  ms: number,
  window: FillWindow,
  { chance, flowedMs }: { chance: number; flowedMs: number },
): Opening {
  const state = fillWindow(window, ms, { chance });
  if (state.open) return { fromMs: ms, untilMs: state.untilMs, flowedMs };
  return { fromMs: state.untilMs, untilMs: fillWindow(window, state.untilMs, { chance }).untilMs, flowedMs };
}
