import type { FillOutcome } from '../../../common/contract/fill.ts';
import { siteChance } from '../../../common/core/fill-window.ts';
import { createEta, opensAt, type FillPace } from '../../core/fill-eta.ts';
import type { FillPlan, WantedFile } from './plan.ts';
import type { FillNode } from './ports.ts';
import type { FillRules } from './sites.ts';

/** A file that is planned and not there, why, and when it will be. */
export interface MissingFile {
  readonly wanted: WantedFile;
  readonly why: string;
  readonly etaMs: number | undefined;
}

/** What a node lacks. */
export interface MissingFiles {
  readonly count: number;
  readonly bytes: number;
  /** When the last of them will be there. */
  readonly etaMs: number | undefined;
  /** When the node may fill next, where its window is closed now. */
  readonly opensMs: number | undefined;
  /** The first of them, in the order in which they come. */
  readonly files: readonly MissingFile[];
}

export interface MissingQuestion {
  readonly node: FillNode;
  readonly nodes: readonly FillNode[];
  readonly plan: FillPlan;
  readonly rules: FillRules;
  readonly nowMs: number;
  /** How fast it has filled lately; 0 where it has not. */
  readonly measuredBytesPerSecond: number;
  /** The last failure of each file that has failed since it was last held. */
  readonly failed: ReadonlyMap<string, FillOutcome>;
  readonly filesMax: number;
}

const urgentByPlan = new WeakMap<FillPlan, ReadonlySet<string>>();

/** Every file of a title that is urgent, though another title may have it too. */
export function urgentFiles(plan: FillPlan): ReadonlySet<string> {
  const known = urgentByPlan.get(plan);
  if (known !== undefined) return known;
  const files = new Set<string>();
  for (const bundle of plan.bundles.values()) {
    if (bundle.urgent) for (const { file } of bundle.files) files.add(file);
  }
  urgentByPlan.set(plan, files);
  return files;
}

/** Lists what a node lacks, urgent files first, the rest in the manifest's order: that is how they come. */
export function missingOf(question: MissingQuestion): MissingFiles {
  const { node, plan, filesMax } = question;
  const wanted = [...(plan.appliances.get(node.id)?.files.values() ?? [])];
  const missing = wanted.filter(({ file }) => !node.held.has(file));
  const urgent = urgentFiles(plan);
  const isUrgent = ({ file }: WantedFile): boolean => urgent.has(file);
  const ordered = [...missing.filter(isUrgent), ...missing.filter((one) => !isUrgent(one))];
  const pace = paceOf(question);
  const eta = { urgent: createEta({ ...pace, window: undefined }), other: createEta(pace) };
  const opensMs = opensAt(pace);
  let bytes = 0;
  const files: MissingFile[] = [];
  let lastMs: number | undefined;
  for (const [at, one] of ordered.entries()) {
    bytes += one.sizeBytes;
    if (at >= filesMax && at < ordered.length - 1) continue;
    const isNow = isUrgent(one);
    // A lost box takes nothing, whatever its pace was.
    const etaMs = node.state === 'lost' ? undefined : (isNow ? eta.urgent : eta.other)(bytes);
    lastMs = etaMs;
    const why = whyMissing(one.file, { ...question, opensMs: isNow ? undefined : opensMs });
    if (at < filesMax) files.push({ wanted: one, why, etaMs });
  }
  return { count: ordered.length, bytes, etaMs: lastMs, opensMs, files };
}

function paceOf({ node, rules, nowMs, measuredBytesPerSecond }: MissingQuestion): FillPace {
  const rates = [rules.capBytesPerSecond, measuredBytesPerSecond].filter(
    (rate) => rate !== undefined && rate > 0,
  ) as number[];
  return {
    nowMs,
    bytesPerSecond: rates.length === 0 ? undefined : Math.min(...rates),
    window: rules.window,
    chance: siteChance(node.site),
  };
}

function whyMissing(
  file: string,
  { node, nodes, failed, opensMs }: MissingQuestion & { opensMs: number | undefined },
): string {
  if (node.state === 'lost') return `the appliance is lost: ${node.stateReason}`;
  const failure = failed.get(file);
  const text = failure && `${failure.code ?? 'FAILED'}: ${failure.detail ?? 'the fill failed'}`;
  const hasSource = nodes.some(
    (one) => one.id !== node.id && one.state === 'ready' && (one.role === 'origin' || one.held.has(file)),
  );
  if (!hasSource) {
    return `no node that is ready has it${text === undefined ? '' : `; the last try ended with ${text}`}`;
  }
  if (text !== undefined) return text;
  if (opensMs !== undefined)
    return `waits for the site's window, which opens at ${new Date(opensMs).toISOString()}`;
  return 'on its way, or waiting for its turn';
}
