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
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import type { FlapBook } from '../../core/route-flaps.ts';
import type { Mate } from '../../core/route-lint.ts';
import type { RoutePick } from '../../core/route-pick.ts';
import type { RoutesNode, RoutesNodes } from './ports.ts';
import type { NodeRoutesRecord } from './records.ts';
import type { RouteSites } from './sites.ts';
import type { LintedTable, TableWork } from './table-work.ts';

export interface RouteViewsOptions {
  work: Pick<TableWork, 'pick' | 'lint'>;
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
      const pick = pickOf(query);
      const routes: RouteRow[] = [];
      let found = 0;
      for (const node of nodes) {
        const used = options.of(node.id)?.used;
        if (pick === undefined || used === undefined) continue;
        const { rows, count } = await options.work.pick(used, pick, limit);
        found += count;
        routes.push(...rows.slice(0, limit - routes.length).map((row) => ({ appliance: node.id, ...row })));
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

/** Which routes were asked for; undefined where only numbers were. Errors: INVALID. */
function pickOf({ appliance, prefix: text, client }: RoutesQuery): RoutePick | undefined {
  if (client !== undefined) {
    const address = parseAddress(client);
    if (address === undefined) throw coded('INVALID', `${client} is no address`);
    return { kind: 'client', address };
  }
  if (text !== undefined) {
    const prefix = parsePrefix(text);
    if (prefix === undefined)
      throw coded('INVALID', `${text} is no prefix such as 192.0.2.0/24 (are bits behind its length set?)`);
    return { kind: 'prefix', prefix };
  }
  return appliance === undefined ? undefined : { kind: 'all' };
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
    const linted = await options.work.lint({
      cluster: inCluster.map((box) => lintedTable(options, box)),
      asked: asked.map(({ id }) => id),
      siteMates: mates.map(mateOf),
      partnerMates: partnerMates.map(mateOf),
    });
    for (const { id, findings: found } of linted) {
      for (const finding of found)
        findings.push({ appliance: id, site, ...finding, examples: [...finding.examples] });
    }
  }
  return { appliances: wanted.length, findings };
}

function lintedTable(
  { of, flaps, clock }: RouteViewsOptions,
  { id, addresses, routeFeed }: RoutesNode,
): LintedTable {
  const routes = of(id);
  return {
    ...{ id, addresses, routeFeed },
    used: routes?.used,
    refused: routes?.refused ?? [],
    flapping: flaps(id)?.flapping(clock.nowMs()) ?? [],
  };
}

function mateOf({ id, site, addresses }: RoutesNode): Mate {
  return { id, site, addresses };
}

function sitesView({ sites, nodes }: RouteViewsOptions): RouteSitesView {
  const counts = new Map(sites.chosen().map((site) => [site, 0]));
  for (const { site, role } of nodes().serving()) {
    if (role === 'appliance') counts.set(site, (counts.get(site) ?? 0) + 1);
  }
  const names = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  return { sites: names.map(([site, appliances]) => sites.view(site, appliances)) };
}
