import type { KnownNode } from '../../../common/runtime/node-proofs.ts';

/** A title with files, as it is withdrawn. */
export interface WithdrawableTitle {
  readonly titleId: string;
  readonly name: string;
  /** The bundle's own file. */
  readonly bundle: string;
  /** Bundles of videos of before that sessions may play yet, and of what is to take its place. */
  readonly others: readonly string[];
  /** The bundles of its pictures. */
  readonly pictures: readonly string[];
  /** Of all of them. */
  readonly files: readonly { readonly file: string; readonly sizeBytes: number }[];
}

/** What withdrawing needs of the catalog. */
export interface WithdrawalCatalog {
  /** Errors: TITLE_UNKNOWN, TITLE_NOT_LIVE (it has no files yet), CONFLICT (another title is made of the same files). */
  withdrawable(titleId: string): WithdrawableTitle;
  /** Whether it is withdrawn now. Errors: TITLE_UNKNOWN. */
  isWithdrawn(titleId: string): boolean;
  /** Takes it out of plans and of the steering map, until its video is taken anew; gives the other bundles that go with it. */
  withdraw(titleId: string): Promise<readonly string[]>;
  /** Published bundles, without what was withdrawn. */
  bundles(): readonly { readonly files: readonly { readonly file: string }[] }[];
}

/** What withdrawing needs of the boxes: appliances and origins that are not revoked, and whose key is whose. */
export interface WithdrawalNodes {
  serving(): readonly { readonly id: string; readonly state: string; readonly enrolledAtMs: number }[];
  findNode(kid: string): Pick<KnownNode, 'nodeId' | 'publicKey' | 'revoked'> | undefined;
}

/** Revokes bundles' tokens or takes that back, and tells every box at once what is withdrawn. */
export interface BundleRevocations {
  revoke(bundles: readonly string[]): Promise<{ readonly sequence: number }>;
  lift(bundle: string): Promise<unknown>;
}
