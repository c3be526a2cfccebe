import { CompactSign, compactVerify } from 'jose';
import { Type } from '../contract/type.ts';
import { EnrolmentCode, type EnrolRequest } from '../contract/credentials.ts';
import type { Chance } from './chance.ts';
import { coded } from './errors.ts';
import { hashSecret, importPublicJwk, secretsEqual, type SigningKey } from './keys.ts';
import { matches, parseJsonAs } from './parse.ts';

const PROOF_TYPE = 'nearcast-enrol-proof';
const EnrolProof = Type.Object({ secretHash: Type.String() });

/** Makes an enrolment code for the control plane with this root key; only the hash of its secret is to be kept. */
export function makeEnrolmentCode(rootKid: string, chance: Chance): { code: string; secretHash: string } {
  const secret = chance.bytes(24).toString('base64url');
  return { code: `nc1.${secret}.${rootKid}`, secretHash: hashSecret(secret) };
}

/** The two parts of a code. Throws ENROLMENT_CODE_INVALID for a text that is none, without repeating it. */
export function parseEnrolmentCode(code: string): { secret: string; rootKid: string } {
  const text = code.trim();
  const [, secret, rootKid] = text.split('.');
  if (!matches(EnrolmentCode, text) || secret === undefined || rootKid === undefined) {
    throw coded('ENROLMENT_CODE_INVALID', 'a code looks like nc1.….…; copy all of it');
  }
  return { secret, rootKid };
}

/** What a node sends to enrol: the secret, its new public key and the proof that it holds the private one. */
export async function makeEnrolRequest(secret: string, key: SigningKey): Promise<EnrolRequest> {
  const payload = new TextEncoder().encode(JSON.stringify({ secretHash: hashSecret(secret) }));
  const proof = await new CompactSign(payload)
    .setProtectedHeader({ alg: 'ES256', kid: key.kid, typ: PROOF_TYPE })
    .sign(key.privateKey);
  return { secret, publicJwk: key.publicJwk, proof };
}

/** Verifies that the sender of an enrol request holds the key that it names. Throws CREDENTIAL_INVALID. */
export async function verifyEnrolRequest({ secret, publicJwk, proof }: EnrolRequest): Promise<void> {
  const key = importPublicJwk(publicJwk);
  let text: string;
  try {
    const { payload, protectedHeader } = await compactVerify(proof, key, { algorithms: ['ES256'] });
    if (protectedHeader.typ !== PROOF_TYPE) throw coded('CREDENTIAL_INVALID', 'the proof is of another kind');
    text = new TextDecoder().decode(payload);
  } catch (cause) {
    throw coded('CREDENTIAL_INVALID', {
      detail: 'the proof is not by the key that is to be enrolled',
      cause,
    });
  }
  const { secretHash } = parseJsonAs(EnrolProof, text, { what: 'the proof', code: 'CREDENTIAL_INVALID' });
  if (!secretsEqual(secretHash, hashSecret(secret))) {
    throw coded('CREDENTIAL_INVALID', 'the proof is for another code');
  }
}
