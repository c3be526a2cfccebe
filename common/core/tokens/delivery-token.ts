import { sign, verify, type KeyObject } from 'node:crypto';

import { Decoder, Encoder, setSizeLimits, Tag } from 'cbor-x';

import { ok, refused, type Result } from '../result.ts';
import { decodeClientNetworks, encodeClientNetworks } from './client-networks.ts';
import { readCoseSign1, type CoseSign1 } from './cose-sign1.ts';

/**
 * What a token lets its bearer do: play a bundle's files, fill any held file, ask steering for a session, or see the pictures of a bundle,
 * which is no session (ADR 32).
 */
export type TokenScope = 'play' | 'fill' | 'steer' | 'picture';

/** What a token that opens files is for: `fill` is a box's, the others are viewers'. */
export type FileScope = Exclude<TokenScope, 'steer'>;

/** The claims of a delivery token (ADR 3). */
export interface DeliveryClaims {
  readonly scope: TokenScope;
  /** Opaque session id: 32 hex digits; of a picture's token it is nobody's. */
  readonly session: string;
  /** Unix seconds. */
  readonly issuedAtS: number;
  /** Unix seconds. */
  readonly expiresAtS: number;
  /** The bundle, 64 hex digits; absent for `fill`. */
  readonly bundle?: string | undefined;
  /** Networks (`address/length`, at most 4) whose clients alone may use it; absent for any. Not for `steer`. */
  readonly clients?: readonly string[] | undefined;
  /** The appliance that fills; only for `fill`. */
  readonly appliance?: string | undefined;
  /** The pathways that the session's manifests declare; only for `steer`. */
  readonly pathways?: readonly string[] | undefined;
}

/** The claims of a token that opens files. */
export interface FileClaims extends DeliveryClaims {
  readonly scope: FileScope;
}

/** Finds the public key that may verify tokens signed with `kid` now, or nothing. */
export type TokenKeyFinder = (kid: string) => KeyObject | undefined;

/** What a verifier of tokens wants of them. */
export interface TokenDemands {
  readonly findKey: TokenKeyFinder;
  readonly nowMs: number;
  /** May know already whether a token's signature is good; else it asks `verify`, which costs most of the time. */
  readonly isGood?: (token: string, verify: () => boolean) => boolean;
}

/** A token is refused above this length before anything of it is decoded. */
export const tokenLengthMax = 2048;
const skewS = 30;
const pathwaysMax = 8;

// RFC 9052 §1.5: the tag and header labels; RFC 8392 §4 and CTA-5007: claim keys; CWT labels below -65536 are private use.
const coseSign1Tag = 18;
const algLabel = 1;
const kidLabel = 4;
const algEs256 = -7;
const claim = {
  sub: 2,
  exp: 4,
  iat: 6,
  cti: 7,
  catnip: 311,
  scope: -70001,
  bundle: -70002,
  pathways: -70003,
} as const;

// A head may announce any length; nothing is allocated for more than a token can hold.
setSizeLimits({
  maxArraySize: tokenLengthMax,
  maxMapSize: 64,
  maxObjectSize: 64,
});
const encoder = new Encoder({
  mapsAsObjects: false,
  useRecords: false,
  tagUint8Array: false,
});
const decoder = new Decoder({ mapsAsObjects: false, useRecords: false });

const playLifeMsMax = 24 * 3_600_000;
const playSpareMs = 4 * 3_600_000;

/** The expiry of a play or steer token: twice the duration and four hours, at most a day (ADR 3). */
export function playExpiryS(durationMs: number, nowMs: number): number {
  const lifeMs = Math.min(2 * durationMs + playSpareMs, playLifeMsMax);
  return Math.ceil((nowMs + lifeMs) / 1000);
}

/**
 * The longest that a token's bundle can be, by its life: `playExpiryS` turned round, a second or two too much. Undefined where
 * the life does not tell: at its most, or shorter than any that is given.
 */
export function playedMsMax({
  issuedAtS,
  expiresAtS,
}: Pick<DeliveryClaims, 'issuedAtS' | 'expiresAtS'>): number | undefined {
  const lifeMs = (expiresAtS - issuedAtS) * 1000;
  return lifeMs < playSpareMs || lifeMs >= playLifeMsMax ? undefined : (lifeMs - playSpareMs) / 2;
}

/** Makes a token: a Common Access Token (CTA-5007) as COSE_Sign1 with ES256, base64url. `key` is the private key. */
export function mintDeliveryToken(claims: DeliveryClaims, signer: { kid: string; key: KeyObject }): string {
  const protectedHeader = encoder.encode(
    new Map<number, unknown>([
      [algLabel, algEs256],
      [kidLabel, Buffer.from(signer.kid, 'base64url')],
    ]),
  );
  const payload = encoder.encode(claimsToMap(claims));
  const signature = sign('sha256', toBeSigned(protectedHeader, payload), {
    key: signer.key,
    dsaEncoding: 'ieee-p1363',
  });
  const message = new Tag([protectedHeader, new Map(), payload, signature], coseSign1Tag);
  return encoder.encode(message).toString('base64url');
}

/**
 * Verifies a token's form, signature and times. Refuses TOKEN_INVALID (not a token, forged, unknown key) and
 * TOKEN_EXPIRED. Whether it covers a file, and whether it was revoked, is the caller's next question.
 */
export function verifyDeliveryToken(token: string, want: TokenDemands): Result<DeliveryClaims> {
  const parts = decodeMessage(token);
  if (parts === undefined) return refused('TOKEN_INVALID', 'it is not a delivery token');
  const kid = keyIdOf(parts.protectedHeader);
  const key = kid === undefined ? undefined : want.findKey(kid);
  if (key === undefined) return refused('TOKEN_INVALID', 'its key is not one of the keyset');
  const verifyNow = (): boolean => isSignedBy(key, parts);
  if (!(want.isGood === undefined ? verifyNow() : want.isGood(token, verifyNow))) {
    return refused('TOKEN_INVALID', 'its signature does not verify');
  }
  const claims = claimsFromMap(decode(parts.payload));
  if (claims === undefined) return refused('TOKEN_INVALID', 'its claims are not readable');
  const nowS = want.nowMs / 1000;
  if (claims.expiresAtS <= nowS) return refused('TOKEN_EXPIRED', 'ask for a new playback session');
  if (claims.issuedAtS > nowS + skewS)
    return refused('TOKEN_INVALID', 'it is from the future; check the clock');
  return ok(claims);
}

function decodeMessage(token: string): CoseSign1 | undefined {
  if (token.length > tokenLengthMax || !/^[A-Za-z0-9_-]+$/.test(token)) return undefined;
  const bytes = Buffer.from(token, 'base64url');
  // Two spellings of one token (spare bits at the end) would be two keys in every cache.
  return bytes.toString('base64url') === token ? readCoseSign1(bytes) : undefined;
}

function isSignedBy(key: KeyObject, { protectedHeader, payload, signature }: CoseSign1): boolean {
  return verify(
    'sha256',
    toBeSigned(protectedHeader, payload),
    { key, dsaEncoding: 'ieee-p1363' },
    signature,
  );
}

/** RFC 9052 §4.4: what COSE_Sign1 signs. */
function toBeSigned(protectedHeader: Uint8Array, payload: Uint8Array): Buffer {
  return encoder.encode(['Signature1', protectedHeader, Buffer.alloc(0), payload]);
}

function keyIdOf(protectedHeader: Uint8Array): string | undefined {
  const header = decode(protectedHeader);
  if (!(header instanceof Map) || header.get(algLabel) !== algEs256) return undefined;
  const kid: unknown = header.get(kidLabel);
  return isBytes(kid) ? Buffer.from(kid).toString('base64url') : undefined;
}

function claimsToMap(claims: DeliveryClaims): Map<number, unknown> {
  const map = new Map<number, unknown>([
    [claim.exp, claims.expiresAtS],
    [claim.iat, claims.issuedAtS],
    [claim.cti, Buffer.from(claims.session, 'hex')],
    [claim.scope, claims.scope],
  ]);
  if (claims.appliance !== undefined) map.set(claim.sub, claims.appliance);
  if (claims.bundle !== undefined) map.set(claim.bundle, Buffer.from(claims.bundle, 'hex'));
  if (claims.clients !== undefined) map.set(claim.catnip, encodeClientNetworks(claims.clients));
  if (claims.pathways !== undefined) map.set(claim.pathways, [...claims.pathways]);
  return map;
}

function claimsFromMap(map: unknown): DeliveryClaims | undefined {
  if (!(map instanceof Map)) return undefined;
  const get = (label: number): unknown => map.get(label);
  const scope = get(claim.scope);
  const session = hexOf(get(claim.cti), 16);
  const expiresAtS = get(claim.exp);
  const issuedAtS = get(claim.iat);
  if (!isScope(scope)) return undefined;
  if (session === undefined || !isTime(expiresAtS) || !isTime(issuedAtS)) return undefined;
  const base = { scope, session, expiresAtS, issuedAtS } as const;
  const bundle = hexOf(get(claim.bundle), 32);
  if (scope === 'steer') {
    const pathways = get(claim.pathways);
    // Steering asks nobody where they are: what says that it should is not for it.
    if (bundle === undefined || map.has(claim.catnip) || !isPathways(pathways)) return undefined;
    return { ...base, bundle, pathways };
  }
  const clients = decodeClientNetworks(get(claim.catnip));
  if (map.has(claim.catnip) && clients === undefined) return undefined;
  const rule = clients === undefined ? {} : { clients };
  if (scope === 'play' || scope === 'picture')
    return bundle === undefined ? undefined : { ...base, bundle, ...rule };
  const appliance = get(claim.sub);
  return typeof appliance === 'string' ? { ...base, appliance, ...rule } : undefined;
}

function isScope(value: unknown): value is TokenScope {
  return value === 'play' || value === 'fill' || value === 'steer' || value === 'picture';
}

function isPathways(value: unknown): value is string[] {
  return Array.isArray(value) && value.length <= pathwaysMax && value.every((id) => typeof id === 'string');
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function hexOf(value: unknown, lengthBytes: number): string | undefined {
  return isBytes(value) && value.length === lengthBytes ? Buffer.from(value).toString('hex') : undefined;
}

function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array;
}

/** Decodes CBOR; undefined where it is not CBOR, since what comes in is anyone's. */
function decode(bytes: Uint8Array): unknown {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}
