import type { Revocations } from '../../common/contract/documents.ts';
import type { RevocationView } from '../engine/token-gate.ts';

/** The revocations in force, as sets that are asked on each request. */
export class RevocationSet implements RevocationView {
  #sessions: ReadonlySet<string> = new Set();
  #bundles: ReadonlySet<string> = new Set();

  isSessionRevoked(session: string): boolean {
    return this.#sessions.has(session);
  }

  isBundleRevoked(bundle: string): boolean {
    return this.#bundles.has(bundle);
  }

  /** A newer list takes the place of the older one. */
  replace(revocations: Revocations): void {
    this.#sessions = new Set(revocations.sessions);
    this.#bundles = new Set(revocations.bundles);
  }
}
