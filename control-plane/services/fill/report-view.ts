import type { FillKind, FillOutcome, FillReportView } from '../../../common/contract/fill.ts';
import { createBusyTime, type BusyTime } from './busy-time.ts';
import { createFillBuckets } from './fill-buckets.ts';
import type { FillPlan, WantedFile } from './plan.ts';
import type { FillNode } from './ports.ts';
import type { ReportRecord } from './records.ts';

type ApplianceView = FillReportView['appliances'][number];

const missingMax = 1000;

/** One appliance's outcomes, summed as they are read. */
interface Tally {
  failed: Map<string, FillOutcome>;
  byKind: Record<FillKind, number>;
  chunksVerified: number;
  chunksRefused: number;
  /** When any of its transfers ran: the time between fills is no part of a rate. */
  busy: BusyTime;
}

/** Sums reports into what an operator reads in the morning. */
export interface ReportSummary {
  add(report: ReportRecord): void;
  view(now: { plan: FillPlan; nodes: readonly FillNode[] }): FillReportView;
}

/** Begins a summary of the reports between two times. */
export function summariseReports({ sinceMs, untilMs }: { sinceMs: number; untilMs: number }): ReportSummary {
  const tallies = new Map<string, Tally>();
  const buckets = createFillBuckets();

  return {
    add({ nodeId, outcomes }) {
      const tally = tallies.get(nodeId) ?? emptyTally();
      tallies.set(nodeId, tally);
      for (const outcome of outcomes) {
        const byKind = addOutcome(tally, outcome);
        buckets.add({ startMs: outcome.startedAtMs, endMs: outcome.endedAtMs, byKind });
      }
    },
    view: ({ plan, nodes }) => ({
      ...{ sinceMs, untilMs },
      appliances: nodes
        .filter((node) => node.role === 'appliance')
        .map((node) => viewAppliance(node, { plan, nodes, tally: tallies.get(node.id) ?? emptyTally() })),
      ...buckets.view(),
    }),
  };
}

function emptyTally(): Tally {
  const byKind = { peer: 0, tier: 0, origin: 0 };
  return { failed: new Map(), byKind, chunksVerified: 0, chunksRefused: 0, busy: createBusyTime() };
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
  if (outcome.outcome === 'failed') tally.failed.set(outcome.file, outcome);
  else tally.failed.delete(outcome.file);
  return byKind;
}

function viewAppliance(
  node: FillNode,
  { plan, nodes, tally }: { plan: FillPlan; nodes: readonly FillNode[]; tally: Tally },
): ApplianceView {
  const wanted = [...(plan.appliances.get(node.id)?.files.values() ?? [])];
  const missing = wanted.filter(({ file }) => !node.held.has(file));
  const held = wanted.length - missing.length;
  const missingBytes = sumBytes(missing);
  const durationMs = tally.busy.totalMs();
  const bytes = tally.byKind.peer + tally.byKind.tier + tally.byKind.origin;
  return {
    id: node.id,
    plannedFiles: wanted.length,
    plannedBytes: sumBytes(wanted),
    heldFiles: held,
    heldBytes: sumBytes(wanted) - missingBytes,
    failedFiles: missing.filter(({ file }) => tally.failed.has(file)).length,
    bytesByKind: tally.byKind,
    chunksVerified: tally.chunksVerified,
    chunksRefused: tally.chunksRefused,
    durationMs,
    bytesPerSecond: durationMs === 0 ? 0 : (bytes * 1000) / durationMs,
    missing: missing.slice(0, missingMax).map((want) => ({
      file: want.file,
      title: plan.bundles.get(want.bundle)?.name ?? 'unknown',
      why: whyMissing(want, { node, nodes, failed: tally.failed.get(want.file) }),
    })),
  };
}

function whyMissing(
  { file }: WantedFile,
  { node, nodes, failed }: { node: FillNode; nodes: readonly FillNode[]; failed: FillOutcome | undefined },
): string {
  if (node.state === 'lost') return `the appliance is lost: ${node.stateReason}`;
  const sources = nodes.filter(
    (one) => one.id !== node.id && one.state === 'ready' && (one.role === 'origin' || one.held.has(file)),
  );
  const last =
    failed === undefined
      ? ''
      : `; the last try ended with ${failed.code ?? 'a failure'}: ${failed.detail ?? ''}`;
  if (sources.length === 0) return `no node that is ready has it${last}`;
  if (failed !== undefined) return `${failed.code ?? 'FAILED'}: ${failed.detail ?? 'the fill failed'}`;
  return 'on its way, or waiting for its turn';
}

function sumBytes(files: readonly WantedFile[]): number {
  return files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}
