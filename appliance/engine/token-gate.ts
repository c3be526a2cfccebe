import { LRUCache } from 'lru-cache';

import type { FilePath } from '../../common/core/file-path.ts';
import { ok, refused, type Result } from '../../common/core/result.ts';
import { isClientIn } from '../../common/core/tokens/client-networks.ts';
import {
  verifyDeliveryToken,
  type DeliveryClaims,
  type FileClaims,
  type TokenKeyFinder,
} from '../../common/core/tokens/delivery-token.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { assert } from '../../common/runtime/errors.ts';
import type { BundleFiles, BundleIndex } from './bundle-index.ts';

/** What must be refused although its signature is good. */
export interface RevocationView {
  isSessionRevoked(session: string): boolean;
  isBundleRevoked(bundle: string): boolean;
}

/** The sessions that play on this box, in whatever process. */
export interface SessionsView {
  note(session: string): void;
  has(session: string): boolean;
}

export interface TokenGateOptions {
  findKey: TokenKeyFinder;
  bundles: BundleIndex;
  revocations: RevocationView;
  /** Hears of each session that is let in to a file; absent where nobody asks. */
  sessions?: SessionsView;
  clock: Clock;
  /** How many bytes of verified tokens are remembered. */
  cacheBytes: number;
}

interface Verified {
  readonly claims: DeliveryClaims;
  readonly atMs: number;
  /** Which keys it was verified with. */
  readonly keys: number;
}

// A key that runs out while a token is remembered counts after this at the latest.
export const rememberedMsMax = 60_000;
// What an entry takes besides the token's text: the claims and the table's own.
const entryBytes = 512;

/**
 * Decides whether a token's bearer may read a file. A signature is checked once a minute, and at once when the keys have
 * changed; expiry, revocation and coverage are asked each time. Tokens go nowhere else from here.
 */
export class TokenGate {
  readonly #options: TokenGateOptions;
  readonly #verified: LRUCache<string, Verified>;
  #keys = 0;

  constructor(options: TokenGateOptions) {
    this.#options = options;
    this.#verified = new LRUCache({
      maxSize: options.cacheBytes,
      sizeCalculation: (_verified, token) => token.length + entryBytes,
    });
  }

  /**
   * Whether the token is of a session that is being served, which a drain or an overload lets go on: it has been let in
   * here before, or by another process of this box.
   */
  isKnown(token: string): boolean {
    if (this.#verified.has(token)) return true;
    const { sessions, findKey, clock } = this.#options;
    if (sessions === undefined) return false;
    // Not by #verify: whoever is refused must not be known the next time.
    const verified = verifyDeliveryToken(token, { findKey, nowMs: clock.nowMs() });
    return verified.ok && sessions.has(verified.value.session);
  }

  /** The keys have changed: every token is verified again when it next comes. Who is known stays so. */
  verifyAgain(): void {
    this.#keys++;
  }

  /**
   * The claims that let the bearer read the file from the client's address. Refuses TOKEN_INVALID, _EXPIRED, _REVOKED,
   * _CLIENT, _FOREIGN and FILE_UNKNOWN.
   */
  async admit(path: FilePath, client: string): Promise<Result<FileClaims>> {
    const verified = this.#verify(path.token);
    if (!verified.ok) return verified;
    const claims = verified.value;
    const { revocations } = this.#options;
    if (revocations.isSessionRevoked(claims.session))
      return refused('TOKEN_REVOKED', 'the session was ended');
    if (claims.clients !== undefined && !isClientIn(claims.clients, client))
      return refused('TOKEN_CLIENT', 'it was given to a client of another network');
    if (!opensFiles(claims)) return refused('TOKEN_FOREIGN', 'it is a token for steering, not for files');
    if (claims.scope === 'fill') return ok(claims);
    assert(claims.bundle !== undefined, 'a viewer’s token without a bundle is not readable');
    if (revocations.isBundleRevoked(claims.bundle))
      return refused('TOKEN_REVOKED', 'the title was withdrawn');
    return this.#covers(claims, claims.bundle, path);
  }

  /** The files that a bundle covers, for whoever remembers what was decided; undefined where it is not held. */
  filesOf(bundle: string): Promise<BundleFiles | undefined> {
    return this.#options.bundles.filesOf(bundle);
  }

  async #covers(claims: FileClaims, bundle: string, path: FilePath): Promise<Result<FileClaims>> {
    const files = await this.#options.bundles.filesOf(bundle);
    if (files === undefined) return refused('FILE_UNKNOWN', 'the bundle of this token is not held here');
    const ext = files.get(path.file);
    if (ext === undefined) return refused('TOKEN_FOREIGN', 'the file is not one of its bundle');
    // A file has one type: its own, not the one that somebody would like it to have.
    if (path.ext !== ext && path.ext !== 'chunks')
      return refused('FILE_UNKNOWN', `the file is not .${path.ext}`);
    // A picture's token is many viewers' and nobody's session: no drain waits for it.
    if (claims.scope === 'play') this.#options.sessions?.note(claims.session);
    return ok(claims);
  }

  #verify(token: string): Result<DeliveryClaims> {
    const { clock, findKey } = this.#options;
    const nowMs = clock.nowMs();
    const monotonicMs = clock.monotonicMs();
    const known = this.#verified.get(token);
    const isFresh = known?.keys === this.#keys && monotonicMs - known.atMs < rememberedMsMax;
    if (isFresh && known.claims.expiresAtS * 1000 > nowMs) return ok(known.claims);
    const verified = verifyDeliveryToken(token, { findKey, nowMs });
    if (verified.ok)
      this.#verified.set(token, { claims: verified.value, atMs: monotonicMs, keys: this.#keys });
    else this.#verified.delete(token);
    return verified;
  }
}

function opensFiles(claims: DeliveryClaims): claims is FileClaims {
  return claims.scope !== 'steer';
}
