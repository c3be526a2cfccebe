import type { FillPurpose, FillSourcesReply } from '../../../common/contract/fill.ts';
import { hashText, rendezvousScore } from '../../../common/core/rendezvous.ts';
import type { FillPlan, WantedFile } from './plan.ts';
import type { FillNode } from './ports.ts';

/** How long an appliance waits before it goes further away (algorithms: fill planning, step 6). */
export interface FillWaits {
  readonly tierWaitMs: number;
  readonly originWaitMs: number;
}

type Way = FillSourcesReply['sources'][number]['ways'][number];

// Enough to go on when one dies, few enough for a reply about a thousand files.
const peersMax = 3;
const tiersMax = 3;
const originsMax = 2;

export interface SourcesQuestion {
  readonly appliance: FillNode;
  readonly nodes: readonly FillNode[];
  readonly plan: FillPlan;
  readonly waits: FillWaits;
  readonly fillToken: string;
  readonly purpose: FillPurpose;
}

/**
 * Where an appliance may fill a file from: ready nodes that hold it, peers of the cluster at once, other sites (tier) and
 * the origin after their waits. While no peer has the file, the cluster's master for its bundle (the first in rendezvous among
 * those that want it) goes on at once, and the others wait for it. No ways for a file that the appliance is not to hold,
 * unless viewers ask for it there: then every way is open at once.
 */
export function sourcesOf(file: string, question: SourcesQuestion): FillSourcesReply['sources'][number] {
  const { appliance, nodes, plan, waits, purpose } = question;
  const wanted = plan.appliances.get(appliance.id)?.files.get(file);
  const isPull = purpose === 'pull';
  if (wanted === undefined && !isPull) return { file, ways: [] };
  const { peers, tiers, origins } = sourceNodes(file, { appliance, nodes });
  const early =
    wanted !== undefined && peers.length === 0 && fillMaster(wanted, question)?.id === appliance.id;
  const originEarlyMs = tiers.length === 0 ? 0 : waits.tierWaitMs;
  const ways = (list: readonly FillNode[], kind: Way['kind'], waitMs: number): Way[] =>
    list.map((node) => ({
      kind,
      node: node.id,
      base: `${trimmed(node.url)}/v1/${question.fillToken}/`,
      waitMs: isPull ? 0 : waitMs,
    }));
  return {
    file,
    ways: [
      ...ways(peers.slice(0, peersMax), 'peer', 0),
      ...ways(tiers.slice(0, tiersMax), 'tier', early ? 0 : waits.tierWaitMs),
      ...ways(origins.slice(0, originsMax), 'origin', early ? originEarlyMs : waits.originWaitMs),
    ],
  };
}

/** Who could give a file to an appliance now, by kind: of each in the order in which it is to be asked. */
function sourceNodes(file: string, { appliance, nodes }: Pick<SourcesQuestion, 'appliance' | 'nodes'>) {
  const peers: FillNode[] = [];
  const tiers: FillNode[] = [];
  const origins: FillNode[] = [];
  // A box asks for a thousand files at a time: one pass over all nodes for each.
  for (const node of nodes) {
    // An origin reads through to the blobs: it has every published file (ADR 9).
    if (node.role === 'appliance' && !node.held.has(file)) continue;
    if (node.state !== 'ready' || node.url === undefined || node.id === appliance.id) continue;
    if (node.role === 'origin') origins.push(node);
    else if (node.cluster === appliance.cluster) peers.push(node);
    else tiers.push(node);
  }
  return {
    peers: spread(peers, file),
    tiers: nearFirst(spread(tiers, file), appliance.site),
    origins: spread(origins, file),
  };
}

/** The box of an appliance's cluster that fetches a file, as others of its bundle, from outside early; undefined where none is to hold it. */
export function fillMaster(
  { file, bundle }: Pick<WantedFile, 'file' | 'bundle'>,
  { appliance, nodes, plan }: Pick<SourcesQuestion, 'appliance' | 'nodes' | 'plan'>,
): FillNode | undefined {
  const mates = nodes.filter(
    (node) =>
      node.role === 'appliance' &&
      node.cluster === appliance.cluster &&
      (node.state === 'ready' || node.id === appliance.id) &&
      plan.appliances.get(node.id)?.files.has(file) === true,
  );
  return spread(mates, bundle)[0];
}

/** In the order of rendezvous for a key, so that the askers of different files go to different nodes. */
export function spread(nodes: readonly FillNode[], key: string): FillNode[] {
  if (nodes.length < 2) return [...nodes];
  const hash = hashText(key);
  const score = (node: FillNode): number => rendezvousScore({ hash: hashText(node.id), weight: 1 }, hash);
  return nodes
    .map((node) => ({ node, score: score(node) }))
    .sort((a, b) => b.score - a.score)
    .map(({ node }) => node);
}

/** Those of the site first, else in the order given. */
export function nearFirst(nodes: readonly FillNode[], site: string): FillNode[] {
  return [...nodes.filter((node) => node.site === site), ...nodes.filter((node) => node.site !== site)];
}

function trimmed(url: string | undefined): string {
  return (url ?? '').replace(/\/+$/, '');
}
