import type { DocumentType, Place, RouteTableRef } from '../../../common/contract/documents.ts';
import type { SteeringPeer } from '../../../common/contract/health.ts';
import type { PublicJwk } from '../../../common/contract/primitives.ts';

/** An appliance or origin, as the steering map shows it. */
export interface MapNode {
  readonly id: string;
  readonly role: 'appliance' | 'origin';
  readonly site: string;
  readonly cluster: string;
  readonly state: 'enrolled' | 'ready' | 'draining' | 'lost' | 'revoked';
  readonly stateReason: string;
  readonly url: string | undefined;
  readonly key: PublicJwk;
  readonly addresses: readonly string[];
  readonly place: Place | undefined;
  readonly routeTable: RouteTableRef | undefined;
  readonly routeFeed: boolean;
  /** Undefined where it does not know its line. */
  readonly lineBytesPerSecond: number | undefined;
  readonly headroom: number;
  readonly reasons: readonly string[];
  readonly held: ReadonlySet<string>;
  readonly holdingsVersion: number;
  /** It fetches what it does not hold. */
  readonly mayFetch: boolean;
  /** It leads viewers on to who holds what it does not. */
  readonly mayRedirect: boolean;
}

/** What the map needs of the registry. */
export interface MapNodes {
  serving(): readonly MapNode[];
  /** Every steering node, in the order of their ids. */
  steering(): SteeringPeer[];
  /** False right after a start, while nodes that an earlier process knew have not reported again. */
  settled(): boolean;
}

/** What the map needs of the route tables, which it names. */
export interface MapRoutes {
  /** A table, packed; as a difference to `from` where that is known and small. Errors: ROUTE_TABLE_UNKNOWN. */
  packed(name: string, from?: string): Promise<Uint8Array>;
}

/** A published bundle; its files never change. */
export interface MapBundle {
  readonly bundle: string;
  /** Every file, the bundle's own included. */
  readonly files: readonly { readonly file: string }[];
}

/** By bundle the files that a node which leads on is to hold of it. */
export type PlannedLadders = ReadonlyMap<
  string,
  readonly { readonly file: string; readonly sizeBytes: number }[]
>;

/** What the map needs of the catalog. */
export interface MapCatalog {
  bundles(): readonly MapBundle[];
}

/** What signs documents. */
export interface MapSigner {
  issue(document: {
    type: DocumentType;
    audience: string;
    body: object;
  }): Promise<{ sequence: number; jws: string }>;
}
