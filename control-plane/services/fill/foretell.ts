import type { FillHit, FillKind, FillLink } from '../../../common/contract/fill.ts';
import { fillMaster, nearFirst, spread } from './sources.ts';
import type { FillPlan, WantedFile } from './plan.ts';
import type { FillNode } from './ports.ts';
import type { SiteDemand } from './site-demand.ts';

/** Where a box is expected to fetch a file from. */
export interface ForetoldSource {
  readonly kind: FillKind;
  readonly node: FillNode;
}

/**
 * Foretells who fetches what from whom: from a mate that holds it; else the cluster's fill master from another site that holds it
 * or the origin, and its mates from the master. What takes longest is a file that only far boxes hold: answers are remembered.
 */
export function createForetelling(
  plan: FillPlan,
  nodes: readonly FillNode[],
): (box: FillNode, wanted: Pick<WantedFile, 'file' | 'bundle'>) => ForetoldSource | undefined {
  const boxes = nodes.filter((node) => node.role === 'appliance' && canServe(node));
  const origins = nodes.filter((node) => node.role === 'origin' && canServe(node));
  const clusters = Map.groupBy(
    nodes.filter(({ role }) => role === 'appliance'),
    ({ cluster }) => cluster,
  );
  const far = new Map<string, FillNode[]>();
  const holders = (file: string): FillNode[] => {
    const known = far.get(file) ?? boxes.filter((node) => node.held.has(file));
    far.set(file, known);
    return known;
  };
  return (box, wanted) => {
    const { file } = wanted;
    const mates = clusters.get(box.cluster) ?? [];
    const [peer] = spread(
      mates.filter((node) => node.id !== box.id && canServe(node) && node.held.has(file)),
      file,
    );
    if (peer !== undefined) return { kind: 'peer', node: peer };
    const master = fillMaster(wanted, { appliance: box, nodes: mates, plan });
    if (master !== undefined && master.id !== box.id) return { kind: 'peer', node: master };
    const [tier] = nearFirst(spread(holders(file), file), box.site).filter(
      ({ cluster }) => cluster !== box.cluster,
    );
    if (tier !== undefined) return { kind: 'tier', node: tier };
    const [origin] = spread(origins, file);
    return origin && { kind: 'origin', node: origin };
  };
}

function canServe({ state, url }: FillNode): boolean {
  return state === 'ready' && url !== undefined;
}

/** Files and bytes by kind, site of the source and site of the box; the fullest first. */
export interface LinkSums {
  add(source: ForetoldSource, to: FillNode, bytes: number): void;
  view(): FillLink[];
}

/** Begins with no link. `capOf` says what a link may carry. */
export function createLinkSums(capOf: (from: string, to: string) => number | undefined): LinkSums {
  const links = new Map<string, FillLink>();
  return {
    add({ kind, node }, to, bytes) {
      const key = `${kind} ${node.site} ${to.site}`;
      const link = links.get(key) ?? { kind, from: node.site, to: to.site, files: 0, bytes: 0 };
      links.set(key, { ...link, files: link.files + 1, bytes: link.bytes + bytes });
    },
    view: () =>
      [...links.values()]
        .sort((a, b) => b.bytes - a.bytes || (a.from < b.from ? -1 : 1))
        .map((link) => {
          const capBytesPerSecond = capOf(link.from, link.to);
          return { ...link, ...(capBytesPerSecond !== undefined && { capBytesPerSecond }) };
        }),
  };
}

/**
 * The byte hit ratio to be expected of clusters, if demand goes on as it was: of the bytes asked for (popularity × size), those
 * of files that a box of the cluster holds now, and those of files that one is to hold. Undefined where nothing is asked for.
 */
export function foretellHit(
  plan: FillPlan,
  nodes: readonly FillNode[],
  demand: SiteDemand,
): FillHit | undefined {
  const files = new Map(
    [...plan.bundles.values()].flatMap((bundle) => bundle.files.map((one) => [one.file, one])),
  );
  const clusters = Map.groupBy(
    nodes.filter(({ role }) => role === 'appliance'),
    ({ cluster }) => cluster,
  );
  const sums = { all: 0, now: 0, after: 0 };
  for (const boxes of clusters.values()) {
    const planned = boxes.map(({ id }) => plan.appliances.get(id)?.files);
    const wanted = demand(boxes[0]?.site ?? '');
    for (const [file, one] of files) {
      const bytes = wanted(one) * one.sizeBytes;
      if (bytes <= 0) continue;
      sums.all += bytes;
      if (boxes.some(({ held }) => held.has(file))) sums.now += bytes;
      if (planned.some((list) => list?.has(file) === true)) sums.after += bytes;
    }
  }
  if (sums.all === 0) return undefined;
  // Sums that grow file by file may differ in their last digit.
  return { now: Math.min(1, sums.now / sums.all), after: Math.min(1, sums.after / sums.all) };
}
