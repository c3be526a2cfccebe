import type { FillKind, FillOutcome, FillReportView } from '../../../common/contract/fill.ts';
import { createBusyTime, type BusyTime } from './busy-time.ts';
import { createFillBuckets } from './fill-buckets.ts';
import { createLinkSums } from './foretell.ts';
import { missingOf } from './missing.ts';
import type { FillPlan } from './plan.ts';
import type { FillNode } from './ports.ts';
import type { ReportRecord } from './records.ts';
import type { FillRules, FillSites } from './sites.ts';

type ApplianceView = FillReportView['appliances'][number];

const listMax = 1000;

/** One appliance's outcomes, summed as they are read. */
interface Tally {
  /** Files whose last try failed. */
  failed: Map<string, FillOutcome>;
  /** The last failure of each file, whatever came after it. */
  failures: Map<string, FillOutcome>;
  byKind: Record<FillKind, number>;
  chunksVerified: number;
  chunksRefused: number;
  /** When any of its transfers ran: the time between fills is no part of a rate. */
  busy: BusyTime;
}

/** What a report is about: of all reports of a time those of some appliances. */
export interface ReportScope {
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly isOf: (node: FillNode) => boolean;
}

/** What is so now, beside what was reported. */
export interface ReportPresent {
  readonly plan: FillPlan;
  readonly nodes: readonly FillNode[];
  readonly rulesOf: (node: FillNode) => FillRules;
  readonly linkCap: FillSites['linkCap'];
  readonly nowMs: number;
}

/** Sums reports into what an operator reads in the morning. */
export interface ReportSummary {
  add(report: ReportRecord): void;
  view(): FillReportView;
  /** How fast an appliance has filled, and what has failed there since. */
  progressOf(nodeId: string): Progress;
}

interface Progress {
  readonly measuredBytesPerSecond: number;
  readonly failed: ReadonlyMap<string, FillOutcome>;
}

/** Begins a summary of the reports of a scope. */
export function summariseReports(
  { sinceMs, untilMs, isOf }: ReportScope,
  present: ReportPresent,
): ReportSummary {
  const shown = present.nodes.filter((node) => node.role === 'appliance' && isOf(node));
  const tallies = new Map(shown.map(({ id }) => [id, emptyTally()]));
  const buckets = createFillBuckets();
  const links = createLinkSums(present.linkCap);
  const nodes = new Map(present.nodes.map((node) => [node.id, node]));

  return {
    add({ nodeId, outcomes }) {
      const tally = tallies.get(nodeId);
      if (tally === undefined) return;
      for (const outcome of outcomes) {
        const byKind = addOutcome(tally, outcome);
        for (const { kind, node: id, bytes } of outcome.bytesBySource) {
          const [node, to] = [nodes.get(id), nodes.get(nodeId)];
          if (node !== undefined && to !== undefined) links.add({ kind, node }, to, bytes);
        }
        buckets.add({ startMs: outcome.startedAtMs, endMs: outcome.endedAtMs, byKind });
      }
    },
    view: () => ({
      ...{ sinceMs, untilMs },
      appliances: shown.map((node) => viewAppliance(node, tallies.get(node.id) ?? emptyTally(), present)),
      links: links.view(),
      ...buckets.view(),
    }),
    progressOf: (nodeId) => progressOf(tallies.get(nodeId) ?? emptyTally()),
  };
}

function emptyTally(): Tally {
  const byKind = { peer: 0, tier: 0, origin: 0 };
  const [failed, failures] = [new Map<string, FillOutcome>(), new Map<string, FillOutcome>()];
  return { failed, failures, byKind, chunksVerified: 0, chunksRefused: 0, busy: createBusyTime() };
}

function addOutcome(tally: Tally, outcome: FillOutcome): Record<FillKind, number> {
  const byKind = { peer: 0, tier: 0, origin: 0 };
  for (const { kind, bytes } of outcome.bytesBySource) {
    byKind[kind] += bytes;
    tally.byKind[kind] += bytes;
  }
  tally.chunksVerified += outcome.chunksVerified;
  tally.chunksRefused += outcome.chunksRefused;
  tally.busy.add({ startMs: outcome.startedAtMs, endMs: outcome.endedAtMs });
  if (outcome.outcome === 'held') tally.failed.delete(outcome.file);
  else {
    tally.failed.set(outcome.file, outcome);
    tally.failures.set(outcome.file, outcome);
  }
  return byKind;
}

function viewAppliance(node: FillNode, tally: Tally, present: ReportPresent): ApplianceView {
  const { plan, rulesOf } = present;
  const progress = progressOf(tally);
  const missing = missingOf({ node, ...present, rules: rulesOf(node), ...progress, filesMax: listMax });
  const planned = plan.appliances.get(node.id);
  const plannedFiles = planned?.files.size ?? 0;
  const plannedBytes = planned?.placed.plannedBytes ?? 0;
  const titleOf = titlesOf(plan, node);
  return {
    ...{ id: node.id, site: node.site, plannedFiles, plannedBytes },
    heldFiles: plannedFiles - missing.count,
    heldBytes: plannedBytes - missing.bytes,
    failedFiles: countIn(tally.failed, (file) => planned?.files.has(file) === true && !node.held.has(file)),
    bytesByKind: tally.byKind,
    ...{ chunksVerified: tally.chunksVerified, chunksRefused: tally.chunksRefused },
    ...{ durationMs: tally.busy.totalMs(), bytesPerSecond: progress.measuredBytesPerSecond },
    ...{ missingFiles: missing.count, missingBytes: missing.bytes },
    ...(missing.etaMs !== undefined && { etaMs: missing.etaMs }),
    ...(missing.opensMs !== undefined && { opensMs: missing.opensMs }),
    missing: missing.files.map(({ wanted, why, etaMs }) => ({
      ...{ file: wanted.file, title: titleOf(wanted.file), sizeBytes: wanted.sizeBytes, why },
      ...(etaMs !== undefined && { etaMs }),
    })),
    failures: [...tally.failures.values()].slice(-listMax).map((outcome) => ({
      ...{ file: outcome.file, title: titleOf(outcome.file), atMs: outcome.endedAtMs },
      ...{ code: outcome.code ?? 'FAILED', detail: outcome.detail ?? '' },
      heldNow: node.held.has(outcome.file),
    })),
  };
}

function progressOf({ byKind, busy, failed }: Tally): Progress {
  const durationMs = busy.totalMs();
  const bytes = byKind.peer + byKind.tier + byKind.origin;
  return { measuredBytesPerSecond: durationMs === 0 ? 0 : (bytes * 1000) / durationMs, failed };
}

/** The name of the title that a file on the node's list is of. */
function titlesOf(plan: FillPlan, node: FillNode): (file: string) => string {
  const files = plan.appliances.get(node.id)?.files;
  return (file) => plan.bundles.get(files?.get(file)?.bundle ?? '')?.name ?? 'of no title';
}

function countIn(files: ReadonlyMap<string, unknown>, counts: (file: string) => boolean): number {
  let count = 0;
  for (const file of files.keys()) if (counts(file)) count++;
  return count;
}
