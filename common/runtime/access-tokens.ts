import type { KeyObject } from 'node:crypto';
import { decodeProtectedHeader, errors, jwtVerify, SignJWT, type JWTPayload } from 'jose';
import { AccessClaims } from '../contract/credentials.ts';
import { isApiToken } from '../core/api-token.ts';
import type { Chance } from './chance.ts';
import type { Clock } from './clock.ts';
import { coded } from './errors.ts';
import type { SigningKey } from './keys.ts';
import { parseAs } from './parse.ts';

/** JOSE `typ` of access tokens (RFC 9068) and of node proofs: neither passes for the other. */
export const accessTokenType = 'at+jwt';
export const nodeProofType = 'nearcast-proof+jwt';

/** A credential above this length is refused unread. */
export const credentialLengthMax = 4096;
const SKEW_S = 30;

/**
 * For how long others than the control plane take a token that ends with a session, in seconds from its issue: they do not hear
 * of sessions that were ended.
 */
const SESSION_AGE_S_MAX = 60;

/** What an access token says beside its times. */
export type AccessGrant = Pick<AccessClaims, 'sub' | 'role' | 'sid' | 'scope' | 'sites'>;

/** Makes an access token. `sub` says for whom it is. */
export async function signAccessToken(
  { ttlS, ...grant }: AccessGrant & { ttlS: number },
  { key, clock, chance }: { key: SigningKey; clock: Clock; chance: Chance },
): Promise<{ token: string; expiresAtMs: number }> {
  const iat = Math.floor(clock.nowMs() / 1000);
  const exp = iat + ttlS;
  const claims: AccessClaims = {
    iss: 'nearcast',
    aud: 'nearcast',
    ...grant,
    iat,
    exp,
    jti: chance.bytes(16).toString('base64url'),
  };
  const token = await new SignJWT(claims)
    .setProtectedHeader({ alg: 'ES256', kid: key.kid, typ: accessTokenType })
    .sign(key.privateKey);
  return { token, expiresAtMs: exp * 1000 };
}

/**
 * Verifies an access token. `findKey` finds a key of use `access`. `sessionsAreChecked`: the caller asks whether the token's
 * session still lasts; without, one that ends with a session is taken for a minute.
 *
 * @throws CREDENTIAL_INVALID, CREDENTIAL_EXPIRED.
 */
export async function verifyAccessToken(
  token: string,
  options: {
    findKey: (kid: string) => KeyObject | undefined;
    clock: Clock;
    sessionsAreChecked?: boolean;
  },
): Promise<AccessClaims> {
  const { findKey, clock, sessionsAreChecked = false } = options;
  if (isApiToken(token)) throw coded('CREDENTIAL_INVALID', 'API tokens are for the control plane');
  const { kid, typ } = readHeader(token);
  const key = typ === accessTokenType ? findKey(kid) : undefined;
  if (key === undefined)
    throw coded('CREDENTIAL_INVALID', 'the access token is signed by a key that is not in force');
  const payload = await verifyJwt(token, key, { typ: accessTokenType, nowMs: clock.nowMs() });
  const claims = parseAs(AccessClaims, payload, { what: 'the access token', code: 'CREDENTIAL_INVALID' });
  const isLate = clock.nowMs() / 1000 - claims.iat > SESSION_AGE_S_MAX;
  if (claims.sid !== undefined && isLate && !sessionsAreChecked)
    throw coded('CREDENTIAL_EXPIRED', 'a token of a session is taken here within a minute of its issue');
  return claims;
}

/** The `kid` and `typ` of a bearer JWT, unverified. Throws CREDENTIAL_INVALID. */
export function readHeader(token: string): { kid: string; typ: string } {
  if (token.length > credentialLengthMax) throw coded('CREDENTIAL_INVALID', 'it is too long');
  try {
    const { kid, typ } = decodeProtectedHeader(token);
    if (kid !== undefined && typ !== undefined) return { kid, typ };
  } catch {
    // It is no JWT: said below.
  }
  throw coded('CREDENTIAL_INVALID', 'it is not a token that Nearcast makes');
}

/** Verifies signature, `typ`, `iat` and `exp` with 30 s of skew; the other claims are the caller's. */
export async function verifyJwt(
  token: string,
  key: KeyObject,
  { typ, nowMs }: { typ: string; nowMs: number },
): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, key, {
      algorithms: ['ES256'],
      typ,
      currentDate: new Date(nowMs),
      requiredClaims: ['iat', 'exp'],
      clockTolerance: SKEW_S,
    });
    if ((payload.iat ?? 0) > nowMs / 1000 + SKEW_S) {
      throw coded('CLOCK_SKEW', 'the credential was issued in the future; check the clock of both sides');
    }
    return payload;
  } catch (cause) {
    if (cause instanceof errors.JWTExpired)
      throw coded('CREDENTIAL_EXPIRED', { detail: 'get a new one', cause });
    if (cause instanceof errors.JOSEError)
      throw coded('CREDENTIAL_INVALID', { detail: 'it does not verify', cause });
    throw cause;
  }
}
