import type { Place, RouteTableRef } from '../../../common/contract/documents.ts';
import type { PublicJwk } from '../../../common/contract/primitives.ts';
import type { LiveNode, LiveState } from './live-node.ts';

/** An appliance or origin as planning and steering see it. */
export interface ServingNode {
  readonly id: string;
  readonly role: 'appliance' | 'origin';
  readonly site: string;
  readonly cluster: string;
  readonly enrolledAtMs: number;
  readonly key: PublicJwk;
  readonly state: LiveState;
  readonly stateReason: string;
  /** How long it has been lost, by the monotonic clock; undefined while it is not. */
  readonly lostMs: number | undefined;
  readonly url: string | undefined;
  readonly addresses: readonly string[];
  readonly place: Place | undefined;
  /** What of its routes is used; undefined where it has none. */
  readonly routeTable: RouteTableRef | undefined;
  /** It learns routes, or has had some where it does not say so. */
  readonly routeFeed: boolean;
  readonly capacityBytes: number;
  readonly lineBytesPerSecond: number | undefined;
  /** It fetches what it does not hold. */
  readonly mayFetch: boolean;
  /** It leads viewers on to who holds what it does not. */
  readonly mayRedirect: boolean;
  readonly headroom: number;
  readonly reasons: readonly string[];
  readonly held: ReadonlySet<string>;
  readonly holdingsVersion: number;
}

/** A node as others see it, with what is known of its routes; undefined for what serves nothing or was revoked. */
export function servingNodeOf(
  node: LiveNode,
  routes: { readonly table: RouteTableRef | undefined; readonly hadSome: boolean },
  nowMs: number,
): ServingNode | undefined {
  const { lostSinceMonotonicMs } = node;
  const { role } = node.identity;
  if ((role !== 'appliance' && role !== 'origin') || node.state === 'revoked') return undefined;
  return {
    id: node.identity.id,
    role,
    site: node.identity.site,
    cluster: node.identity.cluster,
    enrolledAtMs: node.identity.enrolledAtMs,
    key: node.identity.publicJwk,
    state: node.state,
    stateReason: node.stateReason,
    lostMs: lostSinceMonotonicMs === undefined ? undefined : nowMs - lostSinceMonotonicMs,
    url: node.url,
    addresses: node.addresses,
    place: node.place,
    routeTable: routes.table,
    routeFeed: node.routeFeed ?? routes.hadSome,
    capacityBytes: node.capacityBytes,
    lineBytesPerSecond: node.lineBytesPerSecond,
    mayFetch: node.mayFetch,
    mayRedirect: node.mayRedirect,
    headroom: node.headroomPublished,
    reasons: node.reasons,
    held: node.held,
    holdingsVersion: node.holdingsVersion,
  };
}
