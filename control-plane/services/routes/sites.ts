import type { Collection } from '../../../common/adapters/records/collection.ts';
import type { AllowedPrefix, RouteSitePatch, RouteSiteView } from '../../../common/contract/routes.ts';
import { parsePrefix, widthOf } from '../../../common/core/ip-address.ts';
import { coded } from '../../../common/runtime/errors.ts';
import type { RoutePolicy } from '../../core/route-policy.ts';
import { createTurns } from '../turns.ts';
import type { SiteRoutesRecord } from './records.ts';

const sitesMax = 10_000;
/** Networks do not take longer ones from one another. */
const maxLengths = { 4: 24, 6: 48 } as const;
/** A full table of both families, and half as much again. */
const routesMaxDefault = 1_500_000;

/** What the boxes of each site may announce. */
export class RouteSites {
  readonly #collection: Collection<SiteRoutesRecord>;
  readonly #sites = new Map<string, SiteRoutesRecord>();
  readonly #inTurn = createTurns();

  constructor(collection: Collection<SiteRoutesRecord>) {
    this.#collection = collection;
  }

  /** Loads what was chosen. */
  async load(): Promise<void> {
    for await (const { key, value } of this.#collection.all()) this.#sites.set(key, value);
  }

  policy(site: string): RoutePolicy {
    const { allowed, routesMax = routesMaxDefault } = this.#sites.get(site) ?? {};
    return { allowed, routesMax };
  }

  /** Sites that something was chosen for. */
  chosen(): string[] {
    return [...this.#sites.keys()];
  }

  view(site: string, appliances: number): RouteSiteView {
    const { allowed, routesMax } = this.policy(site);
    return {
      site,
      appliances,
      ...(allowed !== undefined && { allowed: [...allowed] }),
      routesMax,
    };
  }

  /** Errors: INVALID (a prefix that is none, or longer than its more-specifics), OVERLOADED (too many sites). */
  patch(site: string, { allowed, routesMax }: RouteSitePatch): Promise<void> {
    const bounds = allowed?.map(boundOf) ?? allowed;
    return this.#inTurn(async () => {
      const chosen = { ...this.#sites.get(site), ...(bounds !== undefined && { allowed: bounds }), ...(routesMax !== undefined && { routesMax }) }; // prettier-ignore
      const next = Object.fromEntries(
        Object.entries(chosen).filter(([, value]) => value !== null),
      ) as SiteRoutesRecord;
      if (Object.keys(next).length === 0) {
        await this.#collection.remove(site);
        this.#sites.delete(site);
        return;
      }
      if (!this.#sites.has(site) && this.#sites.size >= sitesMax)
        throw coded('OVERLOADED', `something is chosen for ${sitesMax} sites, which is the most`);
      await this.#collection.put(site, next);
      this.#sites.set(site, next);
    });
  }
}

function boundOf({ prefix, maxLength }: AllowedPrefix): { prefix: string; maxLength: number } {
  const parsed = parsePrefix(prefix);
  if (parsed === undefined) {
    throw coded(
      'INVALID',
      `${prefix} is no prefix such as 192.0.2.0/24 or 2001:db8::/32 (are bits behind its length set?)`,
    );
  }
  const { family } = parsed.address;
  const longest = maxLength ?? Math.max(parsed.length, maxLengths[family]);
  if (longest < parsed.length || longest > widthOf(family)) {
    throw coded(
      'INVALID',
      `${prefix}: its more-specifics are from /${parsed.length} to /${widthOf(family)}, not /${longest}`,
    );
  }
  return { prefix, maxLength: longest };
}
