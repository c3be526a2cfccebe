import { createHmac } from 'node:crypto';
import type { Address } from '../../common/core/ip-address.ts';
import { SipHash } from './sip-hash.ts';
import { copyBytes, putUint32, uint32At } from './wire.ts';

const CLIENT_BYTES = 8;
const SERVER_BYTES = 16;
const HASH_BYTES = 8;
/** RFC 9018 §4.3: version 1 and three reserved bytes of zero. */
const VERSION_WORD = 0x01000000;
/** RFC 9018 §4.3: good for an hour, and five minutes ahead of our clock. */
const AGE_MAX_S = 3600;
const AHEAD_MAX_S = 300;
const SECRET_BYTES = 16;
const SECRET_LIFE_S = 24 * 3600;

/** Bytes of the option's data in a reply. */
export const cookieReplyBytes = CLIENT_BYTES + SERVER_BYTES;

/** Whether an option of so many bytes may be a cookie (RFC 7873 §5.2.2): the client's 8, and 8 to 32 of the server. */
export function isCookie(bytes: number): boolean {
  return bytes === CLIENT_BYTES || (bytes >= 16 && bytes <= 40);
}

/** What a cookie is checked and made with. */
export interface CookieContext {
  readonly client: Address;
  readonly nowS: number;
}

/**
 * Makes and checks interoperable server cookies (RFC 9018): who shows a valid one has received a reply of ours at this
 * address, so it is no one's forged source. There is a secret for each day, made from one of the process, that threads share.
 */
export class Cookies {
  readonly #root: Uint8Array;
  /** Of an even day and of an odd one: cookies live shorter than that. */
  readonly #secrets: { day: number; hash: SipHash }[];
  /** client cookie, version and reserved, time, client's address. */
  readonly #input = new Uint8Array(CLIENT_BYTES + 8 + 16);
  readonly #hash = new Uint8Array(HASH_BYTES);

  /** @param root Bytes by chance, kept in memory only. */
  constructor(root: Uint8Array) {
    this.#root = root;
    this.#secrets = [this.#secretOf(0), this.#secretOf(1)];
  }

  /** Whether the well-formed option at `at` has a server cookie of ours for this client that is still good. */
  isValid(option: { bytes: Uint8Array; at: number; length: number }, context: CookieContext): boolean {
    const { bytes, at, length } = option;
    if (length !== cookieReplyBytes || uint32At(bytes, at + CLIENT_BYTES) !== VERSION_WORD) return false;
    const madeAtS = uint32At(bytes, at + CLIENT_BYTES + 4);
    // RFC 1982: seconds of 32 bits, compared around their end.
    const ageS = (context.nowS - madeAtS) | 0;
    if (ageS > AGE_MAX_S || ageS < -AHEAD_MAX_S) return false;
    const end = this.#digest({ bytes, at, madeAtS, client: context.client });
    for (let byte = 0; byte < HASH_BYTES; byte++)
      if (this.#hash[byte] !== bytes[at + end + byte]) return false;
    return true;
  }

  /** Writes the data of the reply's option: the client's cookie, whose bytes begin at `at`, and a new one of ours. */
  write(
    from: { bytes: Uint8Array; at: number },
    out: { bytes: Uint8Array; at: number },
    context: CookieContext,
  ): number {
    const { client, nowS } = context;
    const length = this.#digest({ ...from, madeAtS: nowS, client });
    for (let byte = 0; byte < length; byte++) out.bytes[out.at + byte] = this.#input[byte] ?? 0;
    return copyBytes(out.bytes, out.at + length, this.#hash);
  }

  /** RFC 9018 §4.4. @returns the bytes of the input before the address, with which a cookie begins. */
  #digest(of: { bytes: Uint8Array; at: number; madeAtS: number; client: Address }): number {
    const input = this.#input;
    for (let byte = 0; byte < CLIENT_BYTES; byte++) input[byte] = of.bytes[of.at + byte] ?? 0;
    putUint32(input, CLIENT_BYTES, VERSION_WORD);
    putUint32(input, CLIENT_BYTES + 4, of.madeAtS);
    const head = CLIENT_BYTES + 8;
    const { words } = of.client;
    for (let word = 0; word < words.length; word++) putUint32(input, head + word * 4, words[word] ?? 0);
    const day = Math.floor(of.madeAtS / SECRET_LIFE_S);
    let secret = this.#secrets[day & 1];
    if (secret?.day !== day) secret = this.#secrets[day & 1] = this.#secretOf(day);
    secret.hash.digest(input, head + words.length * 4, this.#hash);
    return head;
  }

  #secretOf(day: number): { day: number; hash: SipHash } {
    const bytes = createHmac('sha256', this.#root).update(`dns cookies ${day}`).digest();
    return { day, hash: new SipHash(bytes.subarray(0, SECRET_BYTES)) };
  }
}
