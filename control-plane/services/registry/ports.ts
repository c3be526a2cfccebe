import type { Route, RouteTableRef } from '../../../common/contract/documents.ts';
import type { RefusedRoutes } from '../../../common/contract/routes.ts';
import type { ServedSummary } from '../../../common/contract/served.ts';
import type { Static } from '../../../common/contract/type.ts';
import type { NodeRole, PublicJwk } from '../../../common/contract/primitives.ts';

/** Who a node is, from its enrolment. */
export interface NodeIdentity {
  readonly id: string;
  readonly role: Static<typeof NodeRole>;
  readonly site: string;
  readonly cluster: string;
  readonly publicJwk: PublicJwk;
  readonly enrolledAtMs: number;
  readonly revokedAtMs?: number | undefined;
}

/** What the registry needs of enrolment. */
export interface NodeIdentities {
  list(): readonly NodeIdentity[];
  get(id: string): NodeIdentity | undefined;
  /** NODE_UNKNOWN where there is none. */
  revoke(id: string): Promise<void>;
  /** Called with the id of a node that was enrolled, enrolled again or revoked. */
  onChange(listener: (id: string) => void): () => void;
}

/** What the registry shows of a node's fill. */
export interface FillProgress {
  manifestSequence(nodeId: string): number;
  counts(nodeId: string): { wantedFiles: number; missingFiles: number };
}

/** What the registry needs of the routes that nodes announce. */
export interface RouteBook {
  /** Takes the routes of a box that tells them in heartbeats. */
  list(nodeId: string, routes: readonly Route[]): Promise<unknown>;
  of(nodeId: string):
    | {
        /** The name of the table that it told last. */
        readonly told: string;
        /** How many of its routes are used. */
        readonly ipv4: number;
        readonly ipv6: number;
        readonly refused: readonly RefusedRoutes[];
      }
    | undefined;
  /** Those that steering goes by. */
  used(nodeId: string): RouteTableRef | undefined;
  /** Whether it has ever told some. */
  hadSome(nodeId: string): boolean;
  onChange(listener: (nodeId: string) => void): () => void;
}

/** What a node has served altogether; undefined for one that has told nothing. */
export type ServedBy = (nodeId: string) => ServedSummary | undefined;
