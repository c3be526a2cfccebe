import type { FillManifest } from '../../common/contract/documents.ts';
import { fillWindow, isTimeZone, siteChance, type WindowState } from '../../common/core/fill-window.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';

/** In the middle of the jitter: where a manifest names no site there is nobody to be spread from. */
const noSiteChance = 0.5;
const lookMs = 1000;

/**
 * Whether this box may fill now, by its manifest's window. It is asked of the wall clock each time that something depends on
 * it, so that a clock that is set, by a day or a minute, changes it within a second and breaks nothing.
 */
export class FillHours {
  readonly #clock: Clock;
  readonly #log: Log;
  #window: FillManifest['window'];
  #chance = noSiteChance;
  #known: (WindowState & { readonly askedAtMs: number }) | undefined;

  constructor(options: { clock: Clock; log: Log }) {
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /** Takes what a manifest says; without a window the box may always fill. */
  set({ window, site }: Pick<FillManifest, 'window' | 'site'>): void {
    this.#known = undefined;
    this.#window = window;
    this.#chance = site === undefined ? noSiteChance : siteChance(site);
    if (window === undefined || isTimeZone(window.timeZone)) return;
    this.#log.warn(
      { timeZone: window.timeZone },
      'this time zone is not known here: the fill window counts as UTC',
    );
    this.#window = { ...window, timeZone: 'UTC' };
  }

  /** Whether what is not urgent may be filled now. */
  get areOpen(): boolean {
    if (this.#window === undefined) return true;
    const nowMs = this.#clock.nowMs();
    const known = this.#known;
    if (known !== undefined && nowMs >= known.askedAtMs && nowMs < known.untilMs) return known.open;
    const state = fillWindow(this.#window, nowMs, { chance: this.#chance });
    this.#known = { ...state, askedAtMs: nowMs };
    if (known?.open !== state.open) {
      const until = new Date(state.untilMs).toISOString();
      this.#log.info({ until }, state.open ? 'the fill window is open' : 'the fill window is closed');
    }
    return state.open;
  }

  /** Tells each change until the signal ends it. */
  async watch(onChange: () => void, signal: AbortSignal): Promise<void> {
    let before = this.areOpen;
    while (!signal.aborted) {
      await this.#clock.sleep(lookMs, { signal }).catch(() => undefined);
      if (this.areOpen === before) continue;
      before = !before;
      onChange();
    }
  }
}
