import type { FilePath } from '../../common/core/file-path.ts';
import type { ContentForm, ContentSource, OpenContent } from '../store/content.ts';

/** A file that is not held, as it can be had. */
export type Missed =
  | { readonly kind: 'content'; readonly content: OpenContent }
  /** Another box has it: what comes before `/v1/` there. */
  | { readonly kind: 'elsewhere'; readonly base: string }
  | { readonly kind: 'unknown' };

/** What becomes of requests for what is not held; asked only for what a verified token covers. */
export interface Misses {
  /** For a viewer's session. Errors: FILE_UNKNOWN, OVERLOADED and the store's; so its content's reads. */
  open(path: Pick<FilePath, 'file' | 'ext'>, want: { form: ContentForm; session: string }): Promise<Missed>;
  /** The bundle of a token, without which it cannot be judged. */
  bundle(file: string): Promise<OpenContent | undefined>;
}

/** Held content, and bundles that are not held. */
export function withBundles(content: ContentSource, misses: Misses): ContentSource {
  return {
    open: async (file, form) => (await content.open(file, form)) ?? (await misses.bundle(file)),
  };
}
