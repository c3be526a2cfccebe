import type {
  FillExplainView,
  FillPlanView,
  FillReportView,
  FillSourcesReply,
} from '../../../common/contract/fill.ts';
import type { FillSites as FillSitesView } from '../../../common/contract/fill-sites.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { nightOf } from '../../core/fill-night.ts';
import { explainFile } from './explain.ts';
import { viewPlan } from './plan-view.ts';
import type { FillPlan } from './plan.ts';
import type { FillCatalog, FillNode, FillNodes } from './ports.ts';
import { summariseReports, type ReportPresent } from './report-view.ts';
import type { Reports } from './reports.ts';
import { createSiteDemand } from './site-demand.ts';
import type { FillRules, FillSites } from './sites.ts';

/** Which reports are summed: of a night (`2026-11-21`), or between two times; of an appliance, of a site, or of all. */
export interface FillReportQuery {
  readonly night?: string | undefined;
  readonly sinceMs?: number | undefined;
  readonly untilMs?: number | undefined;
  readonly appliance?: string | undefined;
  readonly site?: string | undefined;
}

/** What operators see of fill. */
export interface FillViews {
  /** What the plan in force still changes, on the boxes of a site or on all. */
  plan(site?: string): FillPlanView;
  /** What a plan made now would change; nothing changes by it. */
  dryRun(site?: string): FillPlanView;
  /** Errors: NODE_UNKNOWN, INVALID (no such date). */
  report(query: FillReportQuery): Promise<FillReportView>;
  /** Why a file, or the files of a bundle, are or are not on an appliance. Errors: NODE_UNKNOWN, FILE_UNKNOWN. */
  explain(nodeId: string, file: string): Promise<FillExplainView>;
  /** When and how fast each site fills: those with boxes and those that something was chosen for. */
  sites(): FillSitesView;
}

export interface FillViewsOptions {
  nodes: FillNodes;
  reports: Reports;
  sites: FillSites;
  /** The plan in force. */
  plan: () => FillPlan;
  /** A plan made now. */
  planNow: () => FillPlan;
  popularityAt: FillCatalog['popularityAt'];
  sourcesOf: (nodeId: string, file: string) => FillSourcesReply['sources'][number]['ways'];
  clock: Clock;
}

const dayMs = 86_400_000;

/** Makes the views of fill. */
export function createFillViews(options: FillViewsOptions): FillViews {
  const { nodes, sites, clock } = options;
  const linkCap: FillSites['linkCap'] = (from, to) => sites.linkCap(from, to);
  const planView = (plan: FillPlan, site: string | undefined): FillPlanView => {
    const demand = createSiteDemand(options, [...plan.bundles.values()], clock.nowMs());
    return viewPlan(plan, { nodes: nodes.serving(), demand, site, linkCap });
  };
  const present = (): ReportPresent => {
    const serving = nodes.serving();
    const boxes = countBySite(serving);
    const rulesOf = ({ site }: FillNode): FillRules => sites.rules(site, boxes);
    return { plan: options.plan(), nodes: serving, rulesOf, linkCap, nowMs: clock.nowMs() };
  };
  const box = (id: string): FillNode => {
    const node = nodes.servingNode(id);
    if (node?.role === 'appliance') return node;
    throw coded('NODE_UNKNOWN', `no appliance is called ${id}; \`nearcast appliance list\` shows the names`);
  };
  const summarise = async (query: FillReportQuery) => {
    const { appliance, site } = query;
    if (appliance !== undefined) box(appliance);
    const times = timesOf(query, options);
    const isOf = (node: FillNode): boolean =>
      (appliance === undefined || node.id === appliance) && (site === undefined || node.site === site);
    const summary = summariseReports({ ...times, isOf }, present());
    for await (const report of options.reports.between(times.sinceMs, times.untilMs)) summary.add(report);
    return summary;
  };
  return {
    plan: (site) => planView(options.plan(), site),
    dryRun: (site) => planView(options.planNow(), site),
    report: async (query) => (await summarise(query)).view(),
    async explain(nodeId, file) {
      const node = box(nodeId);
      const summary = await summarise({ appliance: nodeId });
      const now = present();
      return explainFile({
        ...now,
        ...summary.progressOf(nodeId),
        ...{ node, file, rules: now.rulesOf(node) },
        sourcesOf: (one) => options.sourcesOf(nodeId, one),
      });
    },
    sites() {
      const boxes = countBySite(nodes.serving());
      const names = [...new Set([...boxes.keys(), ...sites.chosen()])].sort();
      return { sites: names.map((site) => sites.view(site, boxes)) };
    },
  };
}

/** How many boxes each site has, dead ones too: a cap is shared by all, or a box that comes back would break it. */
export function countBySite(nodes: readonly FillNode[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { role, site } of nodes) {
    if (role === 'appliance') counts.set(site, (counts.get(site) ?? 0) + 1);
  }
  return counts;
}

/** A night is one by the clocks of its site, or of the site of its appliance; the last day where nothing is named. */
function timesOf(query: FillReportQuery, options: FillViewsOptions): { sinceMs: number; untilMs: number } {
  const { night, appliance } = query;
  if (night === undefined) {
    const { untilMs = options.clock.nowMs(), sinceMs = Math.max(0, untilMs - dayMs) } = query;
    return { sinceMs, untilMs };
  }
  const site = appliance === undefined ? query.site : options.nodes.servingNode(appliance)?.site;
  const times = nightOf(night, options.sites.timeZone(site));
  if (times === undefined) throw coded('INVALID', `${night} is no date; one is 2026-11-21`);
  return times;
}
