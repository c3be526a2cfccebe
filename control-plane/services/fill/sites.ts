import { openCollection, type Collection } from '../../../common/adapters/records/collection.ts';
import type { Records } from '../../../common/adapters/records/port.ts';
import { FillWindow } from '../../../common/contract/documents.ts';
import type { FillPartnerPatch, FillSitePatch, FillSiteView } from '../../../common/contract/fill-sites.ts';
import { PlaceName, SizeBytes, TimeZone } from '../../../common/contract/primitives.ts';
import { Type, type Static } from '../../../common/contract/type.ts';
import type { FillHours } from '../../../common/core/fill-hours.ts';
import { isTimeZone } from '../../../common/core/fill-window.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { parseAs } from '../../../common/runtime/parse.ts';
import { capShare, lowestShare, type SharedCap } from '../../core/fill-caps.ts';
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
  partner: Type.Optional(PlaceName),
  links: Type.Optional(Type.Array(Type.Object({ from: PlaceName, capBytesPerSecond: SizeBytes }))),
});
type SiteRecord = Static<typeof SiteRecord>;

const PartnerRecord = Type.Object({ capBytesPerSecond: SizeBytes });
type PartnerRecord = Static<typeof PartnerRecord>;

/** How many boxes each site has. */
export type BoxCounts = ReadonlyMap<string, number>;

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
  /** What each box may take from the nodes of a site. */
  readonly links: readonly LinkCap[];
}

/** A cap on what comes from a site. */
export interface LinkCap {
  readonly from: string;
  readonly capBytesPerSecond: number;
}

/** When and how fast the boxes of each site fill. */
export interface FillSites {
  /** What holds for each of a site's boxes. */
  rules(site: string, boxes: BoxCounts): FillRules;
  view(site: string, boxes: BoxCounts): FillSiteView;
  /** What all boxes of a site together may take from another; undefined for no such cap. */
  linkCap(from: string, to: string): number | undefined;
  /** The time zone of a site; the default where none is named or it has none; else UTC. */
  timeZone(site: string | undefined): string;
  /** The other sites of a site's partner. */
  ofPartner(site: string): string[];
  /** Sites that something was chosen for. */
  chosen(): string[];
  /** Errors: INVALID (no such time zone, hours that are none), OVERLOADED (too many sites). */
  patch(site: string, patch: FillSitePatch): Promise<void>;
  /** Errors: OVERLOADED (too many partners). */
  patchPartner(partner: string, patch: FillPartnerPatch): Promise<void>;
}

const sitesMax = 10_000;
const partnersMax = 10_000;

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
  const ofPartners = openCollection<PartnerRecord>(options.records, 'partners', (value) =>
    parseAs(PartnerRecord, value, { what: 'the record of a partner' }),
  );
  const partners = new Map<string, PartnerRecord>();
  for await (const { key, value } of ofPartners.all()) partners.set(key, value);
  const kept = { sites: collection, partners: ofPartners };
  return new ChosenSites(kept, { sites, partners, defaults: options.defaults });
}

interface Kept {
  readonly sites: Collection<SiteRecord>;
  readonly partners: Collection<PartnerRecord>;
}

class ChosenSites implements FillSites {
  readonly #kept: Kept;
  readonly #sites: Map<string, SiteRecord>;
  readonly #partners: Map<string, PartnerRecord>;
  readonly #defaults: FillSiteDefaults;
  readonly #inTurn = createTurns();

  constructor(
    kept: Kept,
    chosen: {
      sites: Map<string, SiteRecord>;
      partners: Map<string, PartnerRecord>;
      defaults: FillSiteDefaults;
    },
  ) {
    const { sites, partners, defaults } = chosen;
    this.#kept = kept;
    this.#sites = sites;
    this.#partners = partners;
    this.#defaults = defaults;
  }

  rules(site: string, boxes: BoxCounts): FillRules {
    const own = this.#sites.get(site) ?? {};
    const here = boxes.get(site) ?? 0;
    const capBytesPerSecond = lowestShare([
      sharedBy(1, this.#defaults.capBytesPerSecond),
      sharedBy(1, own.applianceCapBytesPerSecond),
      sharedBy(here, own.capBytesPerSecond),
      sharedBy(this.#boxesOf(own.partner, boxes), this.#partners.get(own.partner ?? '')?.capBytesPerSecond),
    ]);
    const links = (own.links ?? []).map(({ from, capBytesPerSecond: bytesPerSecond }) => ({
      from,
      capBytesPerSecond: capShare({ bytesPerSecond, boxes: here }),
    }));
    return { window: this.#window(own), capBytesPerSecond, links };
  }

  view(site: string, boxes: BoxCounts): FillSiteView {
    const own = this.#sites.get(site) ?? {};
    const { window, capBytesPerSecond } = this.rules(site, boxes);
    const { partner, links } = own;
    const ofPartner = this.#partners.get(partner ?? '')?.capBytesPerSecond;
    return {
      ...{ site, appliances: boxes.get(site) ?? 0, chosen: Object.keys(own) },
      ...(window !== undefined && { window }),
      ...(own.capBytesPerSecond !== undefined && { capBytesPerSecond: own.capBytesPerSecond }),
      ...(partner !== undefined && { partner }),
      ...(ofPartner !== undefined && { partnerCapBytesPerSecond: ofPartner }),
      ...(links !== undefined && { links }),
      ...(capBytesPerSecond !== undefined && { applianceCapBytesPerSecond: capBytesPerSecond }),
    };
  }

  linkCap(from: string, to: string): number | undefined {
    return this.#sites.get(to)?.links?.find((link) => link.from === from)?.capBytesPerSecond;
  }

  timeZone(site: string | undefined): string {
    const own = site === undefined ? undefined : this.#sites.get(site)?.timeZone;
    return own ?? this.#defaults.timeZone ?? 'UTC';
  }

  ofPartner(site: string): string[] {
    const partner = this.#sites.get(site)?.partner;
    if (partner === undefined) return [];
    return [...this.#sites.keys()].filter(
      (other) => other !== site && this.#sites.get(other)?.partner === partner,
    );
  }

  chosen(): string[] {
    return [...this.#sites.keys()];
  }

  patch(site: string, patch: FillSitePatch): Promise<void> {
    return this.#inTurn(async () => {
      checkPatch(patch);
      const next = patched(this.#sites.get(site) ?? {}, patch);
      if (Object.keys(next).length === 0) {
        await this.#kept.sites.remove(site);
        this.#sites.delete(site);
        return;
      }
      if (!this.#sites.has(site) && this.#sites.size >= sitesMax) {
        throw coded('OVERLOADED', `something is chosen for ${String(sitesMax)} sites, which is the most`);
      }
      await this.#kept.sites.put(site, next);
      this.#sites.set(site, next);
    });
  }

  patchPartner(partner: string, { capBytesPerSecond }: FillPartnerPatch): Promise<void> {
    return this.#inTurn(async () => {
      if (capBytesPerSecond === null) {
        await this.#kept.partners.remove(partner);
        this.#partners.delete(partner);
        return;
      }
      if (!this.#partners.has(partner) && this.#partners.size >= partnersMax) {
        throw coded('OVERLOADED', `${String(partnersMax)} partners have caps, which is the most`);
      }
      await this.#kept.partners.put(partner, { capBytesPerSecond });
      this.#partners.set(partner, { capBytesPerSecond });
    });
  }

  /** How many boxes all sites of a partner have. */
  #boxesOf(partner: string | undefined, boxes: BoxCounts): number {
    let sum = 0;
    for (const [site, own] of this.#sites) if (own.partner === partner) sum += boxes.get(site) ?? 0;
    return sum;
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

function sharedBy(boxes: number, bytesPerSecond: number | undefined): SharedCap | undefined {
  return bytesPerSecond === undefined ? undefined : { bytesPerSecond, boxes };
}

function checkPatch({ timeZone, hours, links }: FillSitePatch): void {
  if (links !== undefined && links !== null && new Set(links.map(({ from }) => from)).size < links.length) {
    throw coded('INVALID', 'each site that a link leads from is named once');
  }
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
