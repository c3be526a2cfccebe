import type { LaunchForecast } from '../../../common/contract/titles.ts';
import type { DocumentType } from '../../../common/contract/documents.ts';
import type { DeliveryClaims } from '../../../common/core/tokens/delivery-token.ts';

/** An appliance or origin, as fill sees it. */
export interface FillNode {
  readonly id: string;
  readonly role: 'appliance' | 'origin';
  readonly site: string;
  readonly cluster: string;
  readonly enrolledAtMs: number;
  readonly state: 'enrolled' | 'ready' | 'draining' | 'lost' | 'revoked';
  readonly stateReason: string;
  /** How long it has been lost; undefined while it is not. */
  readonly lostMs: number | undefined;
  readonly url: string | undefined;
  /** 0 until it has reported once. */
  readonly capacityBytes: number;
  /** Absent where the box does not know it. */
  readonly lineBytesPerSecond?: number | undefined;
  /** What it does not hold it fetches, or leads viewers on to who holds it. */
  readonly mayFetch: boolean;
  readonly mayRedirect: boolean;
  readonly held: ReadonlySet<string>;
  /** Grows with every change of `held`. */
  readonly holdingsVersion: number;
}

/** What fill needs of the registry. */
export interface FillNodes {
  serving(): readonly FillNode[];
  /** One of them; undefined where there is none of this id. */
  servingNode(id: string): FillNode | undefined;
  /** False right after a start, while nodes that an earlier process knew have not reported again. */
  settled(): boolean;
}

/** A published bundle. */
export interface FillBundle {
  readonly bundle: string;
  /** The title's name. */
  readonly name: string;
  readonly pinned: boolean;
  /** To be filled at once, whatever the window. */
  readonly urgent: boolean;
  /** How its launch is expected to go; a viewing streams one of so many renditions. */
  readonly forecast?: LaunchForecast & { readonly renditions: number };
  /** Every file, the bundle's own included. */
  readonly files: readonly { readonly file: string; readonly ext: string; readonly sizeBytes: number }[];
  /** A picture in its sizes: it is looked at, and no session is ever of it. */
  readonly isPicture?: boolean;
  /** What it takes the place of: what was watched of those is wanted of it. */
  readonly succeeds?: readonly Pick<FillBundle, 'bundle' | 'files'>[];
}

/** What the viewers of a site want. */
export interface FillPopularity {
  /** How many times they are expected to play the whole of a file, of the time over which popularity is smoothed. */
  of(file: { readonly file: string; readonly sizeBytes: number }): number;
  /** The same of a file that is looked at as a picture; absent where nothing tells of pictures. */
  seen?(file: { readonly file: string; readonly sizeBytes: number }): number;
  /** The site's share of all viewers, 0 to 1. */
  readonly siteShare: number;
  /** How many sessions of a bundle are expected to begin there in a day; undefined where none of theirs is known. */
  readonly sessions?: ((bundle: string, forecast: LaunchForecast | undefined) => number) | undefined;
}

/** What fill needs of the catalog, and of what is learned from its viewers. */
export interface FillCatalog {
  bundles(): readonly FillBundle[];
  /** What the viewers of a site want: as of now, for one plan. */
  popularityAt(site: string): FillPopularity;
}

/** What fill needs of access: signed documents and tokens. */
export interface FillSigner {
  issue(document: {
    type: DocumentType;
    audience: string;
    body: object;
  }): Promise<{ sequence: number; jws: string }>;
  mintToken(claims: DeliveryClaims): string;
}
