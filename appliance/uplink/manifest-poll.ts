import type { FillManifest } from '../../common/contract/documents.ts';
import { ManifestDiff } from '../../common/contract/manifest-diff.ts';
import { applyManifestDiff } from '../../common/core/manifest-diff.ts';
import { valueOf } from '../../common/runtime/errors.ts';
import { parseJsonAs } from '../../common/runtime/parse.ts';
import type { ControlLink } from './control-link.ts';
import type { DocumentKeeper } from './document-keeper.ts';

/**
 * Polls for the fill manifest: as its difference from the one held, made whole again before anybody sees it. A difference
 * that led to nothing (it did not fit, or what it made did not verify) is not asked for twice: then the whole is.
 */
export function createManifestPoll(
  link: Pick<ControlLink, 'fillManifest'>,
  keeper: Pick<DocumentKeeper<typeof FillManifest>, 'current'>,
): (after: number, signal: AbortSignal) => Promise<string | undefined> {
  let triedFrom = 0;
  return async (after, signal) => {
    const held = keeper.current;
    const diff = held?.sequence === after && after !== triedFrom;
    const text = await link.fillManifest({ after, diff }, signal);
    // A JWS begins with its base64url header.
    const isDiff = text?.startsWith('{') === true;
    if (!isDiff || held === undefined) return text;
    triedFrom = after;
    const what = 'the difference of a fill manifest';
    return valueOf(applyManifestDiff(held, parseJsonAs(ManifestDiff, text, { what })), what);
  };
}
