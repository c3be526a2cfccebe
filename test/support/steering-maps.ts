import type {
  DocumentPayload,
  Route,
  RouteTableRef,
  SteeringAppliance,
  SteeringMap,
} from '../../common/contract/documents.ts';
import { encodeHoldings, holdingsRowBytes } from '../../common/core/holdings-codec.ts';
import { parseAddress, parsePrefix, type Address } from '../../common/core/ip-address.ts';
import { nameOfRouteBytes } from '../../common/core/route-table-codec.ts';
import { nameRouteTable } from '../../common/core/route-table-delta.ts';
import { countRoutes, routeClasses } from '../../common/core/route-table.ts';
import type { HealthById, RankAsked, RankInput, RankPolicy } from '../../steering/core/rank.ts';
import { rankPolicyDefault, rankStateOf } from '../../steering/core/rank.ts';
import { Ranker } from '../../steering/core/ranker.ts';
import { compileParts, openView, type SteeringView } from '../../steering/core/view.ts';
import { tableOf, type TestRoute } from './route-tables.ts';

/** A bundle's name made of one repeated digit. */
export const bundleOf = (digit: string): string => digit.repeat(64);

/** An appliance with its routes, of which a table is made. */
export interface TestAppliance extends Omit<SteeringAppliance, 'routeTable'> {
  readonly routes: readonly Route[];
}

/** A map with what its tables hold. */
export interface TestMap extends Omit<SteeringMap, 'appliances' | 'holdings'> {
  readonly appliances: readonly TestAppliance[];
  readonly bundles: readonly {
    readonly bundle: string;
    readonly holders: readonly number[];
    /** Who holds what is planned of it there. */
    readonly parts?: readonly number[];
  }[];
}

export const route = (prefix: string, more: Partial<Route> = {}): Route => ({
  prefix,
  asPathLength: 1,
  class: 'embedded',
  ...more,
});

/** An appliance that is well and reaches 10.0.0.0/8; `more` says what is different. */
export function appliance(id: string, more: Partial<TestAppliance> = {}): TestAppliance {
  return {
    id,
    role: 'appliance',
    site: 'site-a',
    cluster: 'cluster-a',
    url: `http://${id}.test:8080`,
    addresses: [],
    weight: 1,
    headroom: 1,
    state: 'ready',
    reasons: [],
    routes: [route('10.0.0.0/8')],
    ...more,
  };
}

export const origin = (id = 'origin', more: Partial<TestAppliance> = {}): TestAppliance =>
  appliance(id, { role: 'origin', site: 'origin-site', cluster: 'origin', routes: [], ...more });

/** A map in which everybody holds bundle 0, and nobody any other. */
export function mapOf(appliances: readonly TestAppliance[], more: Partial<TestMap> = {}): TestMap {
  return {
    appliances,
    bundles: [
      { bundle: bundleOf('0'), holders: [...appliances.keys()] },
      { bundle: bundleOf('1'), holders: [] },
    ],
    revocations: { sessions: [], bundles: [] },
    ...more,
  };
}

/** The map as it is signed, and the tables that it names. */
export function wireOf({ appliances, bundles, ...rest }: TestMap): {
  body: SteeringMap;
  tables: Map<string, Uint8Array>;
} {
  const tables = new Map<string, Uint8Array>();
  // Boxes of a site often have the very same list.
  const refs = new Map<readonly Route[], RouteTableRef>();
  const refOf = (routes: readonly Route[]): RouteTableRef => {
    const { name, bytes, table } = nameRouteTable(tableOf(routes.flatMap(testRoute)));
    tables.set(name, bytes);
    const open = routes.some((one) => one.class !== 'embedded');
    return { name, count: countRoutes(table), open };
  };
  const boxes = appliances.map(({ routes, ...box }): SteeringAppliance => {
    if (routes.length === 0) return box;
    const routeTable = refs.get(routes) ?? refOf(routes);
    refs.set(routes, routeTable);
    return { ...box, routeTable };
  });
  const sorted = bundles.toSorted((a, b) => (a.bundle < b.bundle ? -1 : 1));
  const rowBytes = holdingsRowBytes(appliances.length);
  const bitsOf = (rows: readonly (readonly number[])[]): Uint8Array => {
    const bits = new Uint8Array(sorted.length * rowBytes);
    rows.forEach((holders, row) => {
      for (const holder of holders) {
        const at = row * rowBytes + (holder >>> 3);
        bits[at] = (bits[at] ?? 0) | (1 << (holder & 7));
      }
    });
    return bits;
  };
  const holdings = encodeHoldings(
    sorted.map(({ bundle }) => bundle),
    appliances.length,
    {
      bits: bitsOf(sorted.map(({ holders }) => holders)),
      parts: bitsOf(sorted.map(({ parts = [] }) => parts)),
    },
  );
  const name = nameOfRouteBytes(holdings);
  tables.set(name, holdings);
  return { body: { ...rest, appliances: boxes, holdings: { name, count: sorted.length } }, tables };
}

function testRoute({ prefix, asPathLength, med = 0, class: routeClass }: Route): TestRoute[] {
  const parsed = parsePrefix(prefix);
  return parsed === undefined
    ? []
    : [[parsed, { classOrder: routeClasses.indexOf(routeClass), asPathLength, med }]];
}

export function payloadOf(body: SteeringMap, sequence = 1): DocumentPayload<SteeringMap> {
  return { version: 1, audience: 'steering', sequence, issuedAtMs: 1_000, notAfterMs: 9e12, body };
}

export function viewOf(map: TestMap, sequence = 1): SteeringView {
  const { body, tables } = wireOf(map);
  const parts = compileParts(payloadOf(body, sequence), (name) => tables.get(name));
  if (!parts.ok) throw new TypeError(parts.detail);
  return openView(parts.value);
}

/** All that a ranking needs: everybody is as the map and the health say, and nobody is full. */
export function rankInputOf(
  view: SteeringView,
  asked: RankAsked,
  { health = new Map(), policy = rankPolicyDefault }: { health?: HealthById; policy?: RankPolicy } = {},
): RankInput {
  const ranker = new Ranker(view, policy);
  return { ...asked, view, ranker, policy, health, state: rankStateOf(view, health, policy.headroomMin) };
}

export function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new TypeError(`${text} is not an address`);
  return parsed;
}
