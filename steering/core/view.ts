import type {
  DocumentPayload,
  Place,
  SteeringAppliance,
  SteeringMap,
} from '../../common/contract/documents.ts';
import type { NodeChallenge } from '../../common/contract/certificates.ts';
import type { SteeringPeer } from '../../common/contract/health.ts';
import type { MaintenanceWindow } from '../../common/contract/maintenance.ts';
import type { PublicJwk } from '../../common/contract/primitives.ts';
import { formatAddress, parseAddress } from '../../common/core/ip-address.ts';
import { openHoldings } from '../../common/core/holdings-codec.ts';
import { hashText } from '../../common/core/rendezvous.ts';
import { ok, refused, type Result } from '../../common/core/result.ts';
import { compileHoldings, type Holdings } from './holdings.ts';
import { deadFamilies } from './families.ts';
import { mergeRoutes, planRouteChange, type TablesByName } from './route-change.ts';
import type { RouteMap } from './route-map.ts';

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
  /** It learns routes: while it has none, nobody is led to it. */
  readonly routeFeed: boolean;
  /** Addresses by family, in text. */
  readonly addresses: Readonly<Record<4 | 6, readonly string[]>>;
  /** It fetches what it does not hold, so it may be a way to any bundle. */
  readonly mayFetch: boolean;
  /** It leads viewers on to who holds what it does not, so it may be a way to a bundle of which it holds a part. */
  readonly mayRedirect: boolean;
}

/** Whether it has lost all its routes: no network sends it anybody, and it serves no others. */
export function isCutOff({ routeFeed, routeCount }: ViewAppliance): boolean {
  return routeFeed && routeCount === 0;
}

/** What ranking reads of each appliance, in columns over shared memory. */
export interface ApplianceColumns {
  readonly isOrigin: Uint8Array;
  /**
   * Whether it may serve a client that none of its routes reaches: a box in no one's network (it learns no routes) or at
   * an exchange. A box whose routes are all `embedded` is its ISP's, and serves that ISP's clients only; one that has lost
   * its routes (a BGP session) serves nobody.
   */
  readonly open: Uint8Array;
  readonly mayFetch: Uint8Array;
  /** Whether it has routes of its own. While a map's routes are merged, those of the map before may still name one that has none. */
  readonly hasRoutes: Uint8Array;
  /** See `deadFamilies`. */
  readonly deadFamilies: Uint8Array;
  readonly weights: Float64Array;
  /** Hash of the id, for rendezvous. */
  readonly hashA: Uint32Array;
  readonly hashB: Uint32Array;
  /** Equal for those of one site, and of one cluster of a site. */
  readonly sites: Uint16Array;
  readonly clusters: Uint16Array;
  /** Its place among all ids in their order. */
  readonly idOrder: Uint16Array;
}

/** What a worker makes of a map and its tables: plain data and shared memory, so that it can be posted to another thread. */
export interface ViewParts {
  readonly sequence: number;
  readonly issuedAtMs: number;
  readonly notAfterMs: number;
  readonly appliances: readonly ViewAppliance[];
  readonly columns: ApplianceColumns;
  readonly routes: RouteMap;
  readonly holdings: Holdings;
  /** Every steering node, this one too. */
  readonly steering: readonly SteeringPeer[];
  readonly challenges: readonly NodeChallenge[];
  readonly maintenance: readonly MaintenanceWindow[];
  readonly revocations: SteeringMap['revocations'];
}

/** A steering map made ready for lookups. Never changed: the next map makes another. */
export interface SteeringView extends ViewParts {
  readonly indexOf: ReadonlyMap<string, number>;
  readonly revokedSessions: ReadonlySet<string>;
  readonly revokedBundles: ReadonlySet<string>;
}

/** The parts of a view that are made of tables. */
export type TableParts = Pick<ViewParts, 'routes' | 'holdings'>;

/** What of an earlier map's parts is that of another too: each is made of its tables, of the order of the appliances and of what they do on a miss. */
export function unchangedParts(
  before: { readonly body: SteeringMap; readonly parts: TableParts } | undefined,
  { appliances, holdings }: SteeringMap,
): Partial<TableParts> {
  if (before === undefined) return {};
  const { body, parts } = before;
  const isSameCount = appliances.length === body.appliances.length;
  const sameRoutes =
    isSameCount &&
    appliances.every(({ routeTable }, at) => routeTable?.name === body.appliances[at]?.routeTable?.name);
  const sameHoldings =
    isSameCount &&
    holdings?.name === body.holdings?.name &&
    appliances.every((one, at) => leadsOn(one) === leadsOn(body.appliances[at]));
  return {
    ...(sameRoutes && { routes: parts.routes }),
    ...(sameHoldings && { holdings: parts.holdings }),
  };
}

/** Whether the routes of one map name the same appliances as those of the other do. */
export function isOfSameAppliances(
  before: { readonly appliances: readonly { readonly id: string }[] },
  { appliances }: typeof before,
): boolean {
  return (
    before.appliances.length === appliances.length &&
    before.appliances.every(({ id }, at) => id === appliances[at]?.id)
  );
}

/**
 * A map over the appliances of one before, whose routes and holdings stay: what it says of each of them. Those that it does not name any more
 * drain without routes, and those that are new are not in it.
 */
export function overAppliancesOf(before: SteeringMap, body: SteeringMap): SteeringMap {
  if (isOfSameAppliances(before, body)) return body;
  const named = new Map(body.appliances.map((appliance) => [appliance.id, appliance]));
  const appliances = before.appliances.map((held): SteeringAppliance => {
    const { routeTable: _past, ...gone } = held;
    return named.get(held.id) ?? { ...gone, state: 'draining', reasons: ['not in the map any more'] };
  });
  return { ...body, appliances };
}

/** The names of the tables of which a map's parts are made, but for those that need not be made. */
export function tableNamesOf(
  { appliances, holdings }: SteeringMap,
  unchanged: Partial<TableParts> = {},
): Set<string> {
  const routes = unchanged.routes === undefined ? appliances : [];
  const names = routes.flatMap(({ routeTable }) => routeTable?.name ?? []);
  const isNeeded = holdings !== undefined && unchanged.holdings === undefined;
  return new Set(isNeeded ? [...names, holdings.name] : names);
}

/**
 * Compiles a verified steering map with its tables, which have been checked against their names. What is known to be unchanged is
 * not made again. Errors: ROUTE_TABLE_INVALID, ROUTES_TOO_MANY, HOLDINGS_INVALID.
 */
export function compileParts(
  payload: DocumentPayload<SteeringMap>,
  tables: TablesByName,
  unchanged: Partial<TableParts> = {},
): Result<ViewParts> {
  const { sequence, issuedAtMs, notAfterMs, body } = payload;
  const routes = unchanged.routes === undefined ? compileRoutes(body, tables) : ok(unchanged.routes);
  if (!routes.ok) return routes;
  const holdings =
    unchanged.holdings === undefined ? compileHoldingsOf(body, tables) : ok(unchanged.holdings);
  if (!holdings.ok) return holdings;
  const appliances = body.appliances.map(viewAppliance);
  return ok({
    ...{ sequence, issuedAtMs, notAfterMs, appliances },
    columns: columnsOf(body.appliances, appliances),
    routes: routes.value,
    holdings: holdings.value,
    steering: body.steering ?? [],
    challenges: body.challenges ?? [],
    maintenance: body.maintenance ?? [],
    revocations: body.revocations,
  });
}

/** Opens a view of parts; quick, since it is done where answers are given. */
export function openView(parts: ViewParts): SteeringView {
  return {
    ...parts,
    indexOf: new Map(parts.appliances.map(({ id }, index) => [id, index])),
    revokedSessions: new Set(parts.revocations.sessions),
    revokedBundles: new Set(parts.revocations.bundles),
  };
}

function compileRoutes(body: SteeringMap, tables: TablesByName): Result<RouteMap> {
  const merged = mergeRoutes(planRouteChange(body, undefined), tables);
  return merged.ok ? ok(merged.value.routes) : merged;
}

function compileHoldingsOf({ appliances, holdings }: SteeringMap, tables: TablesByName): Result<Holdings> {
  if (holdings === undefined)
    return refused(
      'HOLDINGS_INVALID',
      'the map names none: its control plane is from before them, upgrade it',
    );
  const opened = openHoldings(tables(holdings.name) ?? new Uint8Array(), appliances.length);
  return opened.ok ? ok(compileHoldings(opened.value, appliances.map(leadsOn))) : opened;
}

function leadsOn(appliance: SteeringAppliance | undefined): boolean {
  return appliance?.mayFetch === true || appliance?.mayRedirect === true;
}

function viewAppliance(appliance: SteeringAppliance): ViewAppliance {
  const { id, role, site, cluster, url, key, place, weight, headroom, state, reasons, routeTable } =
    appliance;
  return {
    ...{ id, role, site, cluster, url, key, place, weight, headroom, state, reasons },
    routeCount: routeTable?.count ?? 0,
    routeFeed: appliance.routeFeed === true,
    addresses: addressesOf(appliance),
    mayFetch: appliance.mayFetch === true,
    mayRedirect: appliance.mayRedirect === true,
  };
}

function columnsOf(
  listed: readonly SteeringAppliance[],
  appliances: readonly ViewAppliance[],
): ApplianceColumns {
  const bytes = (valueOf: (appliance: ViewAppliance, index: number) => number): Uint8Array =>
    fill(new Uint8Array(new SharedArrayBuffer(appliances.length)), appliances, valueOf);
  const shorts = (valueOf: (appliance: ViewAppliance) => number): Uint16Array =>
    fill(new Uint16Array(new SharedArrayBuffer(2 * appliances.length)), appliances, valueOf);
  const longs = (valueOf: (appliance: ViewAppliance) => number): Uint32Array =>
    fill(new Uint32Array(new SharedArrayBuffer(4 * appliances.length)), appliances, valueOf);
  const weights = new Float64Array(new SharedArrayBuffer(8 * appliances.length));
  const sites = numbersOf(appliances.map(({ site }) => site));
  const clusters = numbersOf(appliances.map(({ site, cluster }) => `${site}/${cluster}`));
  const ids = numbersOf(appliances.map(({ id }) => id).sort());
  return {
    isOrigin: bytes(({ role }) => (role === 'origin' ? 1 : 0)),
    open: bytes(({ role }, index) => (role === 'appliance' && isOpen(listed[index]) ? 1 : 0)),
    mayFetch: bytes(({ mayFetch }) => (mayFetch ? 1 : 0)),
    hasRoutes: bytes(({ routeCount }) => (routeCount > 0 ? 1 : 0)),
    deadFamilies: bytes(deadFamilies),
    weights: fill(weights, appliances, ({ weight }) => weight),
    hashA: longs(({ id }) => hashText(id).a),
    hashB: longs(({ id }) => hashText(id).b),
    sites: shorts(({ site }) => sites.get(site) ?? 0),
    clusters: shorts(({ site, cluster }) => clusters.get(`${site}/${cluster}`) ?? 0),
    idOrder: shorts(({ id }) => ids.get(id) ?? 0),
  };
}

function isOpen(appliance: SteeringAppliance | undefined): boolean {
  const { routeTable, routeFeed } = appliance ?? {};
  return routeTable === undefined || routeTable.count === 0 ? routeFeed !== true : routeTable.open;
}

function fill<T extends Uint8Array | Uint16Array | Uint32Array | Float64Array>(
  column: T,
  appliances: readonly ViewAppliance[],
  valueOf: (appliance: ViewAppliance, index: number) => number,
): T {
  for (const [index, appliance] of appliances.entries()) column[index] = valueOf(appliance, index);
  return column;
}

/** Distinct texts numbered in the order in which they come. */
function numbersOf(texts: readonly string[]): Map<string, number> {
  const numbers = new Map<string, number>();
  for (const text of texts) if (!numbers.has(text)) numbers.set(text, numbers.size);
  return numbers;
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
