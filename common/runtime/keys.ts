import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  timingSafeEqual,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { PublicJwk } from '../contract/primitives.ts';
import { assert, coded, isCoded } from './errors.ts';
import { readPrivateFile, writePrivateFile } from './private-file.ts';

/** An ES256 (P-256) key that can sign. `kid` is its RFC 7638 thumbprint. */
export interface SigningKey {
  kid: string;
  publicJwk: PublicJwk;
  publicKey: KeyObject;
  privateKey: KeyObject;
}

/** Makes a new ES256 key. */
export function generateKey(): SigningKey {
  return signingKey(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);
}

function signingKey(privateKey: KeyObject): SigningKey {
  const publicKey = createPublicKey(privateKey);
  const publicJwk = toPublicJwk(publicKey);
  return { kid: thumbprint(publicJwk), publicJwk, publicKey, privateKey };
}

function toPublicJwk(key: KeyObject): PublicJwk {
  const { x, y } = key.export({ format: 'jwk' });
  assert(key.asymmetricKeyDetails?.namedCurve === 'prime256v1', 'the key is not on P-256');
  return { kty: 'EC', crv: 'P-256', x: x ?? '', y: y ?? '' };
}

/** RFC 7638 §3: base64url SHA-256 over the required members in lexicographic order. */
export function thumbprint({ crv, kty, x, y }: PublicJwk): string {
  return createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
}

/** A public JWK as a key to verify with. Throws KEY_UNKNOWN for a point that is not on the curve. */
export function importPublicJwk(jwk: PublicJwk): KeyObject {
  try {
    return createPublicKey({ key: { ...jwk }, format: 'jwk' });
  } catch (cause) {
    throw coded('KEY_UNKNOWN', { detail: 'the key is not a point on P-256', cause });
  }
}

/** The private key as text (PKCS #8 PEM), for storing. */
export function exportPrivateKey(key: SigningKey): string {
  return key.privateKey.export({ format: 'pem', type: 'pkcs8' });
}

/** The key of a stored text; `where` names the place in errors. */
export function importPrivateKey(pem: string, where: string): SigningKey {
  try {
    return signingKey(createPrivateKey(pem));
  } catch (cause) {
    throw coded('STORE_CORRUPT', {
      detail: `${where} holds no P-256 private key; restore it from a backup`,
      cause,
    });
  }
}

/** Stores a key in a file of mode 0600 that must not be there yet. */
export async function saveKey(path: string, key: SigningKey): Promise<void> {
  await writePrivateFile(path, exportPrivateKey(key), { replace: false });
}

/** The key in a file, or undefined when there is none. Refuses a file that others may read. */
export async function loadKey(path: string): Promise<SigningKey | undefined> {
  const pem = await readPrivateFile(path);
  return pem === undefined ? undefined : importPrivateKey(pem, path);
}

/** The key in a file, made when there is none. */
export async function loadOrCreateKey(path: string): Promise<SigningKey> {
  const held = await loadKey(path);
  if (held !== undefined) return held;
  const key = generateKey();
  try {
    await saveKey(path, key);
    return key;
  } catch (error) {
    // Another process was faster: its key counts.
    const other = isCoded(error, 'CONFLICT') ? await loadKey(path) : undefined;
    if (other === undefined) throw error;
    return other;
  }
}

/** base64url SHA-256 of a text: how secrets are kept and named without being kept. */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}

/** Compares two secrets in a time that tells nothing about where they differ. */
export function secretsEqual(a: string, b: string): boolean {
  // Hashing first makes the lengths equal.
  return timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest());
}
