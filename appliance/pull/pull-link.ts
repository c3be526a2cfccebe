import type { FileExtension } from '../../common/core/media-types.ts';

/** A file that is asked for and not held. */
export interface PullRequest {
  readonly file: string;
  readonly ext: FileExtension;
  /** The session that asks; absent where the bundle of a token is needed before the token can be judged. */
  readonly session: string | undefined;
}

/** What there is to be done about a file that is not held. */
export type PullAnswer =
  /** It is held by now. */
  | { readonly kind: 'held' }
  /** It comes in chunks: where they lie, and which are there (a `ChunkMap`'s bits in base64). */
  | { readonly kind: 'partial'; readonly content: string; readonly descriptor: string; readonly bits: string }
  /** Another box has it: what comes before `/v1/`. */
  | { readonly kind: 'elsewhere'; readonly base: string }
  | { readonly kind: 'unknown' };

/** Chunks of a file that comes, the first of which is needed now. */
export interface PullRun {
  readonly file: string;
  readonly first: number;
  readonly last: number;
}

/** What those who serve ask of the one process that fetches and writes. */
export interface PullLink {
  open(request: PullRequest): Promise<PullAnswer>;
  /** Resolves when the first chunk can be read; the others are on their way. Errors: FILE_UNKNOWN, OVERLOADED. */
  fetch(run: PullRun): Promise<void>;
  /** Resolves when a chunk that did not match its hash when it was read is out of the file, to be fetched anew. */
  mistrust(file: string, index: number): Promise<void>;
}
