import type { KeyObject } from 'node:crypto';
import { CompactSign, compactVerify, decodeProtectedHeader } from 'jose';
import type { Static, TSchema } from '../contract/type.ts';
import { documentPayload, type DocumentPayload, type DocumentType } from '../contract/documents.ts';
import { checkDocument, type DocumentDemands } from '../core/documents.ts';
import { assert, coded, valueOf } from './errors.ts';
import type { SigningKey } from './keys.ts';
import { parseJsonAs } from './parse.ts';

const LENGTH_MAX = 64 * 1024 * 1024;
const payloadSchemas = new WeakMap<TSchema, TSchema>();

/** Signs a document (ADR 6): compact JWS, ES256, `typ` and `kid` in the protected header. */
export async function signDocument<T>(
  typ: DocumentType,
  payload: Omit<DocumentPayload<T>, 'version'>,
  key: SigningKey,
): Promise<string> {
  assert(payload.notAfterMs > payload.issuedAtMs, 'a document must be valid for some time');
  const text = JSON.stringify({ version: 1, ...payload });
  return new CompactSign(new TextEncoder().encode(text))
    .setProtectedHeader({ alg: 'ES256', kid: key.kid, typ })
    .sign(key.privateKey);
}

/** What the reader of a signed document demands of it. */
export interface OpenOptions<T extends TSchema> extends DocumentDemands {
  typ: DocumentType;
  /** Schema of the body. */
  schema: T;
  /** The key that may have signed it, or undefined when the keyset has none of that id. */
  findKey: (kid: string) => KeyObject | undefined;
}

/**
 * Verifies a signed document and returns its payload with a body of the schema's type.
 *
 * @throws SIGNATURE_INVALID, KEY_UNKNOWN, DOCUMENT_FOREIGN, DOCUMENT_STALE, DOCUMENT_EXPIRED.
 */
export async function openDocument<T extends TSchema>(
  jws: string,
  options: OpenOptions<T>,
): Promise<DocumentPayload<Static<T>>> {
  const { typ, schema, findKey, ...demands } = options;
  const kid = documentKeyId(jws, typ);
  const key = findKey(kid);
  if (key === undefined) throw coded('KEY_UNKNOWN', `${typ}: no valid key ${kid}`);
  const text = await verifiedText(jws, key, typ);
  const payload = parseJsonAs(payloadSchemaOf(schema), text, {
    what: typ,
    code: 'SIGNATURE_INVALID',
  }) as DocumentPayload<Static<T>>;
  valueOf(checkDocument(payload, demands), typ);
  return payload;
}

/** The id of the key that a document's header names, not verified. @throws SIGNATURE_INVALID where it is no such document. */
export function documentKeyId(jws: string, typ: DocumentType): string {
  if (jws.length > LENGTH_MAX) throw coded('SIGNATURE_INVALID', `${typ}: larger than ${LENGTH_MAX} bytes`);
  let header;
  try {
    header = decodeProtectedHeader(jws);
  } catch (cause) {
    throw coded('SIGNATURE_INVALID', { detail: `${typ}: not a compact JWS`, cause });
  }
  // A document of another kind by the same key must not pass for this one (RFC 8725 §3.11).
  if (header.typ !== typ) throw coded('SIGNATURE_INVALID', `${typ}: it is a document of another kind`);
  if (header.kid === undefined) throw coded('SIGNATURE_INVALID', `${typ}: it names no key`);
  return header.kid;
}

async function verifiedText(jws: string, key: KeyObject, typ: DocumentType): Promise<string> {
  try {
    const { payload } = await compactVerify(jws, key, { algorithms: ['ES256'] });
    return new TextDecoder('utf-8', { fatal: true }).decode(payload);
  } catch (cause) {
    throw coded('SIGNATURE_INVALID', { detail: `${typ}: altered or signed by another key`, cause });
  }
}

function payloadSchemaOf(body: TSchema): TSchema {
  const known = payloadSchemas.get(body);
  if (known !== undefined) return known;
  const schema = documentPayload(body);
  payloadSchemas.set(body, schema);
  return schema;
}
