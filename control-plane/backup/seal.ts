import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import { coded } from '../../common/runtime/errors.ts';

/** What makes a key of a passphrase (RFC 7914): 128 MiB and some tenths of a second for each guess. */
const cost = { log2N: 17, r: 8, p: 1 };
const log2NMax = 18;

const mark = Buffer.from('NCSEAL01', 'latin1');
const saltBytes = 16;
const ivBytes = 12;
const tagBytes = 16;
const headBytes = mark.length + 3 + saltBytes + ivBytes;

const deriveKey = promisify<string, Buffer, number, object, Buffer>(scrypt);

/**
 * Encrypts bytes with a passphrase: AES-256-GCM under a key by scrypt. The head (mark, cost, salt, nonce) is authenticated too; the tag
 * stands at the end.
 */
export async function* seal(source: AsyncIterable<Uint8Array>, passphrase: string): AsyncGenerator<Buffer> {
  const head = Buffer.concat([
    mark,
    Buffer.from([cost.log2N, cost.r, cost.p]),
    randomBytes(saltBytes + ivBytes),
  ]);
  const cipher = createCipheriv('aes-256-gcm', await keyOf(head, passphrase), ivOf(head));
  cipher.setAAD(head);
  yield head;
  for await (const chunk of source) yield cipher.update(chunk);
  cipher.final();
  yield cipher.getAuthTag();
}

/**
 * The bytes behind a seal; those of an archive that is not sealed as they are. What comes before the end is not authenticated yet: keep it only
 * once all has come. CREDENTIAL_MISSING where a passphrase is needed, STORE_CORRUPT for another one and for what was altered.
 */
export async function* unseal(
  source: AsyncIterable<Uint8Array>,
  passphrase: string | undefined,
): AsyncGenerator<Buffer> {
  const chunks = source[Symbol.asyncIterator]();
  const first = await readAtLeast(chunks, headBytes + tagBytes);
  if (!first.subarray(0, mark.length).equals(mark)) {
    yield first;
    yield* rest(chunks);
    return;
  }
  if (passphrase === undefined)
    throw coded('CREDENTIAL_MISSING', 'the backup is encrypted; name its passphrase with --passphrase-file');
  const head = first.subarray(0, headBytes);
  const decipher = createDecipheriv('aes-256-gcm', await keyOf(head, passphrase), ivOf(head));
  decipher.setAAD(head);
  let held = first.subarray(headBytes);
  for await (const chunk of rest(chunks)) {
    yield decipher.update(held.subarray(0, -tagBytes));
    held = Buffer.concat([held.subarray(-tagBytes), chunk]);
  }
  if (held.length < tagBytes) throw damaged();
  yield decipher.update(held.subarray(0, -tagBytes));
  decipher.setAuthTag(held.subarray(-tagBytes));
  try {
    decipher.final();
  } catch (cause) {
    throw damaged(cause);
  }
}

function damaged(cause?: unknown): Error {
  return coded('STORE_CORRUPT', { detail: 'the backup is damaged, or has another passphrase', cause });
}

async function keyOf(head: Buffer, passphrase: string): Promise<Buffer> {
  const [log2N = 0, r = 0, p = 0] = head.subarray(mark.length);
  // A file from anywhere must not ask for all of the memory.
  if (log2N < 1 || log2N > log2NMax || r !== cost.r || p !== cost.p) throw damaged();
  const salt = head.subarray(mark.length + 3, mark.length + 3 + saltBytes);
  return deriveKey(passphrase, salt, 32, { N: 2 ** log2N, r, p, maxmem: 128 * r * 2 ** (log2NMax + 1) });
}

function ivOf(head: Buffer): Buffer {
  return head.subarray(headBytes - ivBytes, headBytes);
}

async function readAtLeast(chunks: AsyncIterator<Uint8Array>, count: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for (let length = 0; length < count;) {
    const next = await chunks.next();
    if (next.done === true) break;
    parts.push(next.value);
    length += next.value.length;
  }
  return Buffer.concat(parts);
}

async function* rest(chunks: AsyncIterator<Uint8Array>): AsyncGenerator<Buffer> {
  for (let next = await chunks.next(); next.done !== true; next = await chunks.next())
    yield Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength);
}
