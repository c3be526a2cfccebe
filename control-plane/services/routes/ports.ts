/** A box that has routes. */
export interface RoutesNode {
  readonly id: string;
  readonly role: 'appliance' | 'origin';
  readonly site: string;
  readonly cluster: string;
  readonly addresses: readonly string[];
  /** It learns routes, however many it has now. */
  readonly routeFeed: boolean;
}

/** What the routes need of the registry. */
export interface RoutesNodes {
  /** Appliances and origins that are not revoked, in the order of their ids. */
  serving(): readonly RoutesNode[];
  /** One of them; undefined where there is none of this id. */
  servingNode(nodeId: string): RoutesNode | undefined;
}
