import type {
  DocumentPayload,
  Place,
  SteeringAppliance,
  SteeringMap,
} from '../../common/contract/documents.ts';
import type { SteeringPeer } from '../../common/contract/health.ts';
import type { MaintenanceWindow } from '../../common/contract/maintenance.ts';
import type { PublicJwk } from '../../common/contract/primitives.ts';
import { formatAddress, parseAddress } from '../../common/core/ip-address.ts';
import { hashText, type HashPair } from '../../common/core/rendezvous.ts';
import { buildRouteTables, type OwnedRoute, type RouteTables } from './route-table.ts';

/** An appliance or origin as ranking sees it. */
export interface ViewAppliance {
  readonly id: string;
  readonly role: SteeringAppliance['role'];
  readonly site: string;
  readonly cluster: string;
  readonly url: string;
  /** By which it proves that it is this node; absent in maps of earlier control planes. */
  readonly key: PublicJwk | undefined;
  readonly place: Place | undefined;
  readonly weight: number;
  readonly headroom: number;
  readonly state: SteeringAppliance['state'];
  readonly reasons: readonly string[];
  readonly routeCount: number;
  /** Addresses by family, in text. */
  readonly addresses: Readonly<Record<4 | 6, readonly string[]>>;
  /** Hash of the id, for rendezvous. */
  readonly hash: HashPair;
  /**
   * Whether it may serve a client that none of its routes reaches: a box in no one's network (no route of its own) or at
   * an exchange. A box whose routes are all `embedded` is its ISP's, and serves that ISP's clients only.
   */
  readonly open: boolean;
}

export interface ViewBundle {
  readonly title: string;
  readonly titleId: string;
  /** Indexes of the appliances that hold all of it, ascending. */
  readonly holders: Uint32Array;
}

/** A steering map made ready for lookups. Never changed: the next map makes another. */
export interface SteeringView {
  readonly sequence: number;
  readonly issuedAtMs: number;
  readonly notAfterMs: number;
  readonly appliances: readonly ViewAppliance[];
  readonly indexOf: ReadonlyMap<string, number>;
  /** Indexes of those that may serve a client that no route of theirs reaches: origins and open appliances. */
  readonly everywhere: readonly number[];
  readonly routes: RouteTables;
  readonly bundles: ReadonlyMap<string, ViewBundle>;
  /** Every steering node, this one too. */
  readonly steering: readonly SteeringPeer[];
  readonly maintenance: readonly MaintenanceWindow[];
  readonly revokedSessions: ReadonlySet<string>;
  readonly revokedBundles: ReadonlySet<string>;
}

/** Compiles a verified steering map. Of two appliances with one id only the first is taken. */
export function compileView(payload: DocumentPayload<SteeringMap>): SteeringView {
  const { body } = payload;
  const appliances: ViewAppliance[] = [];
  const indexOf = new Map<string, number>();
  const owned: OwnedRoute[] = [];
  const indexes = new Map<number, number>();
  for (const [listed, appliance] of body.appliances.entries()) {
    if (indexOf.has(appliance.id)) continue;
    const index = appliances.length;
    indexOf.set(appliance.id, index);
    indexes.set(listed, index);
    appliances.push(viewAppliance(appliance));
    for (const route of appliance.routes) owned.push({ appliance: index, route });
  }
  return {
    sequence: payload.sequence,
    issuedAtMs: payload.issuedAtMs,
    notAfterMs: payload.notAfterMs,
    appliances,
    indexOf,
    everywhere: [...appliances.keys()].filter((index) => {
      const appliance = appliances[index];
      return appliance?.role === 'origin' || appliance?.open === true;
    }),
    routes: buildRouteTables(owned),
    bundles: new Map(
      body.bundles.map(({ bundle, title, titleId, holders }) => {
        const known = holders.map((holder) => indexes.get(holder)).filter((index) => index !== undefined);
        return [bundle, { title, titleId, holders: Uint32Array.from(known).sort() }];
      }),
    ),
    steering: body.steering ?? [],
    maintenance: body.maintenance ?? [],
    revokedSessions: new Set(body.revocations.sessions),
    revokedBundles: new Set(body.revocations.bundles),
  };
}

/** Whether the appliance holds all of the bundle. An origin holds everything (ADR 9). */
export function holdsBundle(view: SteeringView, index: number, bundle: string): boolean {
  if (view.appliances[index]?.role === 'origin') return true;
  const holders = view.bundles.get(bundle)?.holders;
  if (holders === undefined) return false;
  let low = 0;
  let high = holders.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((holders[middle] ?? 0) < index) low = middle + 1;
    else high = middle;
  }
  return holders[low] === index;
}

function viewAppliance(appliance: SteeringAppliance): ViewAppliance {
  const { id, role, site, cluster, url, key, place, weight, headroom, state, reasons, routes } = appliance;
  return {
    ...{ id, role, site, cluster, url, key, place, weight, headroom, state, reasons },
    routeCount: routes.length,
    addresses: addressesOf(appliance),
    hash: hashText(id),
    open: role === 'appliance' && (routes.length === 0 || routes.some((route) => route.class !== 'embedded')),
  };
}

/** The addresses that it announced, or where there are none the one that its URL names. */
function addressesOf(appliance: SteeringAppliance): Record<4 | 6, string[]> {
  const named = hostOf(appliance.url);
  const texts = appliance.addresses.length > 0 ? appliance.addresses : named === undefined ? [] : [named];
  const byFamily: Record<4 | 6, string[]> = { 4: [], 6: [] };
  for (const text of texts) {
    const address = parseAddress(text);
    if (address !== undefined) byFamily[address.family].push(formatAddress(address));
  }
  return byFamily;
}

function hostOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, '') : undefined;
}
