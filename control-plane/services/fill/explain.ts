import type { FillExplainView, FillSourcesReply } from '../../../common/contract/fill.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { missingOf, type MissingQuestion } from './missing.ts';
import { matesOf, whyLeft, whyNotPlanned, whyWanted } from './plan-view.ts';
import type { FillPlan } from './plan.ts';
import type { FillBundle, FillNode } from './ports.ts';

type FileView = FillExplainView['files'][number];

export interface ExplainQuestion extends Omit<MissingQuestion, 'filesMax'> {
  /** A file, or a bundle: then every file of it. */
  readonly file: string;
  readonly sourcesOf: (file: string) => FillSourcesReply['sources'][number]['ways'];
}

/** Says why files are, or are not, on an appliance. Errors: FILE_UNKNOWN (no published title has it and the box does not hold it). */
export function explainFile(question: ExplainQuestion): FillExplainView {
  const { node, plan, file } = question;
  const bundle = plan.bundles.get(file) ?? bundleOf(file, plan);
  if (bundle === undefined) {
    if (!node.held.has(file)) throw coded('FILE_UNKNOWN', `no published title has a file ${file}`);
    const why = 'held, but of no published title: it stays until its room is needed';
    return {
      appliance: node.id,
      files: [{ file, sizeBytes: 0, isHeld: true, isPlanned: false, why, ways: [] }],
    };
  }
  const asked = bundle.bundle === file ? bundle.files : bundle.files.filter((one) => one.file === file);
  const explain = createExplainer(question, bundle);
  return { appliance: node.id, title: bundle.name, files: asked.map(explain) };
}

function createExplainer(
  question: ExplainQuestion,
  bundle: FillBundle,
): (one: FillBundle['files'][number]) => FileView {
  const { node, plan, sourcesOf } = question;
  const own = plan.appliances.get(node.id);
  const missing = missingOf({ ...question, filesMax: Infinity });
  const missingByFile = new Map(missing.files.map((one) => [one.wanted.file, one]));
  const placed = new Map(own?.placed.files.map((one) => [one.file, one]));
  const mates = matesOf(node, plan);
  const absentWhy = whyAbsent(node, { plan, bundle: bundle.bundle });
  return ({ file, sizeBytes }) => {
    const isHeld = node.held.has(file);
    const planned = placed.get(file);
    const isPlanned = planned !== undefined;
    const lack = missingByFile.get(file);
    const place = isPlanned ? `on its list (${whyWanted(planned, mates)})` : absentWhy;
    const state = isHeld ? (isPlanned ? '' : '; held still, until its room is needed') : '';
    return {
      ...{ file, sizeBytes, isHeld, isPlanned },
      why: `${place}${lack === undefined ? state : `; missing: ${lack.why}`}`,
      ways:
        lack === undefined
          ? []
          : sourcesOf(file).map(({ kind, node: from, waitMs }) => ({ kind, node: from, waitMs })),
      ...(lack?.etaMs !== undefined && { etaMs: lack.etaMs }),
    };
  };
}

function whyAbsent(node: FillNode, { plan, bundle }: { plan: FillPlan; bundle: string }): string {
  const own = plan.appliances.get(node.id);
  if (own === undefined) return `on no list: ${whyNotPlanned(node)}`;
  const left = own.placed.left.find((one) => one.bundle === bundle);
  return left === undefined ? 'on no list of this box' : `not on its list: ${whyLeft(left)}`;
}

function bundleOf(file: string, plan: FillPlan): FillBundle | undefined {
  for (const bundle of plan.bundles.values()) {
    if (bundle.files.some((one) => one.file === file)) return bundle;
  }
  return undefined;
}
