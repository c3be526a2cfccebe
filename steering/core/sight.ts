import type { Sight } from '../../common/contract/health.ts';

/** What a steering node sees of those around it. */
export interface Surroundings {
  /** Other steering nodes that the map names and that say where they are, and how many of their views are fresh. */
  readonly peers: number;
  readonly peersFresh: number;
  /** Boxes on which the own probes have a verdict, and how many of them are down. */
  readonly boxes: number;
  readonly boxesDown: number;
}

/**
 * The rule of the isolated node: who has lost all of its peers and most boxes has lost its own network, and keeps still. With
 * peers gone and boxes there, the network between the nodes is cut: it answers from what it sees (one node is a quorum
 * of one). A node that has no peers to lose is never isolated: for it there is the all-dead rule.
 */
export function judgeSight({ peers, peersFresh, boxes, boxesDown }: Surroundings): Sight {
  if (peers === 0 || peersFresh > 0) return 'clear';
  return boxesDown * 2 > boxes ? 'isolated' : 'alone';
}
