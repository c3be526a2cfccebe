import { openCollection, type Collection } from '../../../common/adapters/records/collection.ts';
import type { Records } from '../../../common/adapters/records/port.ts';
import { FillWindow } from '../../../common/contract/documents.ts';
import type { FillSitePatch, FillSiteView } from '../../../common/contract/fill-sites.ts';
import { SizeBytes, TimeZone } from '../../../common/contract/primitives.ts';
import { Type, type Static } from '../../../common/contract/type.ts';
import type { FillHours } from '../../../common/core/fill-hours.ts';
import { isTimeZone } from '../../../common/core/fill-window.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { parseAs } from '../../../common/runtime/parse.ts';
import { createTurns } from '../turns.ts';

/** What an operator has chosen for a site. */
const SiteRecord = Type.Object({
  timeZone: Type.Optional(TimeZone),
  hours: Type.Optional(
    Type.Union([Type.Pick(FillWindow, ['startMinute', 'endMinute']), Type.Literal('any')]),
  ),
  jitterMinutes: Type.Optional(Type.Integer()),
  capBytesPerSecond: Type.Optional(SizeBytes),
  applianceCapBytesPerSecond: Type.Optional(SizeBytes),
});
type SiteRecord = Static<typeof SiteRecord>;

/** What holds where nothing was chosen for a site. */
export interface FillSiteDefaults {
  readonly hours: FillHours;
  readonly jitterMinutes: number;
  /** Without one a site that has none of its own fills at any time: hours mean nothing without a place. */
  readonly timeZone?: string | undefined;
  /** Most that one appliance may fill with. */
  readonly capBytesPerSecond?: number | undefined;
}

/** What the manifests of a site's boxes say of when and how fast. */
export interface FillRules {
  readonly window?: FillWindow | undefined;
  readonly capBytesPerSecond?: number | undefined;
}

/** When and how fast the boxes of each site fill. */
export interface FillSites {
  /** What holds for each of a site's `appliances` boxes. */
  rules(site: string, appliances: number): FillRules;
  view(site: string, appliances: number): FillSiteView;
  /** The time zone of a site; the default where none is named or it has none; else UTC. */
  timeZone(site: string | undefined): string;
  /** Sites that something was chosen for. */
  chosen(): string[];
  /** Errors: INVALID (no such time zone, hours that are none), OVERLOADED (too many sites). */
  patch(site: string, patch: FillSitePatch): Promise<void>;
}

const sitesMax = 10_000;

/** Opens what was chosen for sites. */
export async function openFillSites(options: {
  records: Records;
  defaults: FillSiteDefaults;
}): Promise<FillSites> {
  const collection = openCollection<SiteRecord>(options.records, 'sites', (value) =>
    parseAs(SiteRecord, value, { what: 'the record of a site' }),
  );
  const sites = new Map<string, SiteRecord>();
  for await (const { key, value } of collection.all()) sites.set(key, value);
  return new ChosenSites(collection, { sites, defaults: options.defaults });
}

class ChosenSites implements FillSites {
  readonly #collection: Collection<SiteRecord>;
  readonly #sites: Map<string, SiteRecord>;
  readonly #defaults: FillSiteDefaults;
  readonly #inTurn = createTurns();

  constructor(
    collection: Collection<SiteRecord>,
    { sites, defaults }: { sites: Map<string, SiteRecord>; defaults: FillSiteDefaults },
  ) {
    this.#collection = collection;
    this.#sites = sites;
    this.#defaults = defaults;
  }

  rules(site: string, appliances: number): FillRules {
    const own = this.#sites.get(site) ?? {};
    const share =
      own.capBytesPerSecond === undefined ? undefined : own.capBytesPerSecond / Math.max(1, appliances);
    const caps = [this.#defaults.capBytesPerSecond, own.applianceCapBytesPerSecond, share].filter(
      (cap) => cap !== undefined,
    );
    // A cap of nothing would be a fill that never ends.
    const cap = caps.length === 0 ? undefined : Math.max(1, Math.floor(Math.min(...caps)));
    return { window: this.#window(own), capBytesPerSecond: cap };
  }

  view(site: string, appliances: number): FillSiteView {
    const own = this.#sites.get(site) ?? {};
    const { window, capBytesPerSecond } = this.rules(site, appliances);
    return {
      ...{ site, appliances, chosen: Object.keys(own) },
      ...(window !== undefined && { window }),
      ...(own.capBytesPerSecond !== undefined && { capBytesPerSecond: own.capBytesPerSecond }),
      ...(capBytesPerSecond !== undefined && { applianceCapBytesPerSecond: capBytesPerSecond }),
    };
  }

  timeZone(site: string | undefined): string {
    const own = site === undefined ? undefined : this.#sites.get(site)?.timeZone;
    return own ?? this.#defaults.timeZone ?? 'UTC';
  }

  chosen(): string[] {
    return [...this.#sites.keys()];
  }

  patch(site: string, patch: FillSitePatch): Promise<void> {
    return this.#inTurn(async () => {
      checkPatch(patch);
      const next = patched(this.#sites.get(site) ?? {}, patch);
      if (Object.keys(next).length === 0) {
        await this.#collection.remove(site);
        this.#sites.delete(site);
        return;
      }
      if (!this.#sites.has(site) && this.#sites.size >= sitesMax) {
        throw coded('OVERLOADED', `something is chosen for ${String(sitesMax)} sites, which is the most`);
      }
      await this.#collection.put(site, next);
      this.#sites.set(site, next);
    });
  }

  #window(own: SiteRecord): FillWindow | undefined {
    const timeZone = own.timeZone ?? this.#defaults.timeZone;
    const hours = own.hours ?? this.#defaults.hours;
    if (timeZone === undefined || hours === 'any') return undefined;
    const { startMinute, endMinute } = hours;
    const jitterMinutes = own.jitterMinutes ?? this.#defaults.jitterMinutes;
    return { startMinute, endMinute, timeZone, jitterMinutes };
  }
}

function checkPatch({ timeZone, hours }: FillSitePatch): void {
  if (timeZone !== undefined && timeZone !== null && !isTimeZone(timeZone)) {
    throw coded('INVALID', `${timeZone} is no time zone of the IANA database; one is Europe/Berlin`);
  }
  if (hours === undefined || hours === null || hours === 'any') return;
  if (hours.startMinute === hours.endMinute) {
    throw coded('INVALID', 'a window that ends when it begins is none; use `any` for all day');
  }
}

/** The record with what the patch names: null takes a choice back. */
function patched(record: SiteRecord, patch: FillSitePatch): SiteRecord {
  const entries = Object.entries({ ...record, ...patch }).filter(([, value]) => value !== null);
  return Object.fromEntries(entries);
}
