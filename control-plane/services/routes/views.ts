import type {
  RouteFinding,
  RouteLint,
  RouteRow,
  RoutesQuery,
  RouteSites as RouteSitesView,
  RoutesView,
  RouteSummary,
} from '../../../common/contract/routes.ts';
import { parseAddress, parsePrefix } from '../../../common/core/ip-address.ts';
import { createRouteTableBuilder, type RouteTable } from '../../../common/core/route-table.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import type { FlapBook } from '../../core/route-flaps.ts';
import { lintBox, unionOf, type LintedBox } from '../../core/route-lint.ts';
import { longestRow, routeAt, rowsAbout } from '../../core/route-rows.ts';
import type { RoutesNode, RoutesNodes } from './ports.ts';
import type { NodeRoutesRecord } from './records.ts';
import type { RouteSites } from './sites.ts';
import type { TableStore } from './table-store.ts';

export interface RouteViewsOptions {
  store: TableStore;
  sites: RouteSites;
  nodes: () => RoutesNodes;
  sitesOfPartner: (site: string) => readonly string[];
  of: (nodeId: string) => NodeRoutesRecord | undefined;
  flaps: (nodeId: string) => FlapBook | undefined;
  clock: Clock;
}

/** What operators see of routes. */
export interface RouteViews {
  /** Boxes with their routes in numbers, and the routes that were asked for. Errors: INVALID, NODE_UNKNOWN. */
  show(query: RoutesQuery): Promise<RoutesView>;
  /** What is wrong with the routes of one box, one site or all. Errors: NODE_UNKNOWN. */
  lint(query: { appliance?: string; site?: string }): Promise<RouteLint>;
  sites(): RouteSitesView;
}

const limitDefault = 1000;

/** Makes the views. */
export function createRouteViews(options: RouteViewsOptions): RouteViews {
  return {
    async show(query) {
      const { limit = limitDefault } = query;
      const nodes = chosenNodes(options, query);
      const pick = pickerOf(query);
      const routes: RouteRow[] = [];
      let found = 0;
      for (const node of pick === undefined ? [] : nodes) {
        const rows = pick?.(await tableOf(options, node.id), limit) ?? { rows: [], count: 0 };
        found += rows.count;
        routes.push(
          ...rows.rows.slice(0, limit - routes.length).map((row) => ({ appliance: node.id, ...row })),
        );
      }
      return {
        appliances: nodes.map((node) => summaryOf(options, node)),
        routes,
        more: found - routes.length,
      };
    },
    lint: (query) => lint(options, query),
    sites: () => sitesView(options),
  };
}

function chosenNodes(
  { nodes }: RouteViewsOptions,
  { appliance, site }: { appliance?: string; site?: string },
): RoutesNode[] {
  const chosen = nodes()
    .serving()
    .filter((node) => (appliance ?? node.id) === node.id && (site ?? node.site) === node.site);
  if (appliance !== undefined && chosen.length === 0)
    throw coded('NODE_UNKNOWN', `${appliance}; \`nearcast appliance list\` shows the names`);
  return chosen;
}

type Row = Omit<RouteRow, 'appliance'>;
type Picker = (table: RouteTable, limit: number) => { rows: Row[]; count: number };

/** What picks the routes that were asked for; undefined where only numbers were. */
function pickerOf({ appliance, prefix, client }: RoutesQuery): Picker | undefined {
  if (client !== undefined) return clientPicker(client);
  if (prefix !== undefined) return prefixPicker(prefix);
  if (appliance === undefined) return undefined;
  return (table, limit) => {
    const rows = ([4, 6] as const).flatMap((family) => {
      const length = Math.min(limit, table[family].lengths.length);
      return Array.from({ length }, (_, row) => routeAt(table[family], row));
    });
    return { rows, count: table[4].lengths.length + table[6].lengths.length };
  };
}

function clientPicker(client: string): Picker {
  const address = parseAddress(client);
  if (address === undefined) throw coded('INVALID', `${client} is no address`);
  return (table) => {
    const row = longestRow(table, address);
    const rows = row < 0 ? [] : [routeAt(table[address.family], row)];
    return { rows, count: rows.length };
  };
}

function prefixPicker(text: string): Picker {
  const prefix = parsePrefix(text);
  if (prefix === undefined)
    throw coded('INVALID', `${text} is no prefix such as 192.0.2.0/24 (are bits behind its length set?)`);
  return (table, limit) => {
    const routes = table[prefix.address.family];
    const rows = rowsAbout(table, prefix, limit).map((row) => routeAt(routes, row));
    return { rows, count: rows.length };
  };
}

async function tableOf({ store, of }: RouteViewsOptions, nodeId: string): Promise<RouteTable> {
  const routes = of(nodeId);
  return routes === undefined ? createRouteTableBuilder().build() : (await store.table(routes.used)).table;
}

function summaryOf({ of, flaps, clock }: RouteViewsOptions, { id, site, cluster }: RoutesNode): RouteSummary {
  const routes = of(id);
  return {
    ...{ appliance: id, site, cluster },
    ...(routes !== undefined && { table: routes.used, changedAtMs: routes.changedAtMs }),
    ipv4: routes?.ipv4 ?? 0,
    ipv6: routes?.ipv6 ?? 0,
    refused: [...(routes?.refused ?? [])],
    changesLastHour: flaps(id)?.tables(clock.nowMs()) ?? 0,
  };
}

/** Cluster by cluster, so that few tables are in memory at a time. An origin needs no routes. */
async function lint(
  options: RouteViewsOptions,
  query: { appliance?: string; site?: string },
): Promise<RouteLint> {
  const wanted = chosenNodes(options, query).filter(({ role }) => role === 'appliance');
  const boxes = options
    .nodes()
    .serving()
    .filter(({ role }) => role === 'appliance');
  const findings: RouteFinding[] = [];
  const clusters = Map.groupBy(wanted, ({ site, cluster }) => `${site}/${cluster}`);
  for (const asked of clusters.values()) {
    const [{ site, cluster } = { site: '', cluster: '' }] = asked;
    const mates = boxes.filter((box) => box.site === site);
    const tiers = new Set(options.sitesOfPartner(site));
    const partnerMates = boxes.filter((box) => tiers.has(box.site));
    const inCluster = mates.filter((box) => box.cluster === cluster);
    const linted = new Map<string, LintedBox>();
    for (const box of inCluster) linted.set(box.id, await lintedBox(options, box));
    const union = unionOf([...new Set([...linted.values()].map(({ table }) => table))]);
    for (const box of asked) {
      const found = linted.get(box.id);
      if (found === undefined) continue;
      for (const finding of lintBox(found, { siteMates: mates, partnerMates, cluster: union })) {
        findings.push({ appliance: box.id, site, ...finding, examples: [...finding.examples] });
      }
    }
  }
  return { appliances: wanted.length, findings };
}

async function lintedBox(
  options: RouteViewsOptions,
  { id, addresses, routeFeed }: RoutesNode,
): Promise<LintedBox> {
  const { of, flaps, clock } = options;
  return {
    ...{ id, addresses, routeFeed },
    table: await tableOf(options, id),
    refused: of(id)?.refused ?? [],
    flapping: flaps(id)?.flapping(clock.nowMs()) ?? [],
  };
}

function sitesView({ sites, nodes }: RouteViewsOptions): RouteSitesView {
  const counts = new Map(sites.chosen().map((site) => [site, 0]));
  for (const { site, role } of nodes().serving()) {
    if (role === 'appliance') counts.set(site, (counts.get(site) ?? 0) + 1);
  }
  const names = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  return { sites: names.map(([site, appliances]) => sites.view(site, appliances)) };
}
