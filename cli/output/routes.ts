import type { RouteLint, RouteSiteView, RoutesView, RouteSummary } from '../../common/contract/routes.ts';
import { formatAgo } from './format.ts';
import type { TableView } from './output.ts';

const examplesShown = 3;

/** The routes of each box in numbers. */
export function routeSummaryRows({ appliances }: RoutesView, nowMs: number): TableView {
  return {
    head: ['appliance', 'site', 'cluster', 'IPv4', 'IPv6', 'not used', 'changed', 'changes in the last hour'],
    rows: appliances.map((row) => [
      row.appliance,
      row.site,
      row.cluster,
      String(row.ipv4),
      String(row.ipv6),
      refusedText(row),
      formatAgo(row.changedAtMs, nowMs),
      String(row.changesLastHour),
    ]),
    empty: 'No appliances.',
  };
}

function refusedText({ refused }: RouteSummary): string {
  return refused.length === 0 ? '–' : refused.map(({ refusal, count }) => `${count} ${refusal}`).join(', ');
}

/** Routes one by one. */
export function routeRows({ routes }: RoutesView): TableView {
  return {
    head: ['appliance', 'prefix', 'class', 'AS path', 'MED'],
    rows: routes.map((row) => [
      row.appliance,
      row.prefix,
      row.class,
      String(row.asPathLength),
      String(row.med),
    ]),
    empty: 'No such routes.',
  };
}

/** What is wrong with routes. */
export function routeFindingRows({ appliances, findings }: RouteLint): TableView {
  return {
    head: ['appliance', 'site', 'fault', 'count', 'examples', 'what it means'],
    rows: findings.map(({ appliance, site, fault, count, examples, detail }) => [
      appliance,
      site,
      fault,
      String(count),
      examples.slice(0, examplesShown).join(', ') + (examples.length > examplesShown ? ' …' : ''),
      detail,
    ]),
    empty: `Nothing is wrong with the routes of ${appliances} ${appliances === 1 ? 'appliance' : 'appliances'}.`,
  };
}

/** What the boxes of each site may announce. */
export function routeSiteRows(sites: readonly RouteSiteView[]): TableView {
  return {
    head: ['site', 'boxes', 'may announce', 'routes of a box'],
    rows: sites.map(({ site, appliances, allowed, routesMax }) => [
      site,
      String(appliances),
      allowed === undefined ? 'any prefix' : allowedText(allowed),
      `≤ ${routesMax}`,
    ]),
    empty: 'No site yet: one comes with its first box, or with `--site`.',
  };
}

function allowedText(allowed: NonNullable<RouteSiteView['allowed']>): string {
  const texts = allowed.map(({ prefix, maxLength }) => `${prefix} up to /${maxLength ?? ''}`);
  return texts.length === 0 ? 'nothing' : texts.join(', ');
}
