import { createHmac, timingSafeEqual } from 'node:crypto';

const periodMs = 30_000;
const digits = 6;
// RFC 4648 §6
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** The code of a step of 30 s since 1970 (RFC 6238 §4, RFC 4226 §5.3): six digits by HMAC-SHA-1, which is what authenticators know. */
export function totpCode(key: Uint8Array, step: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac('sha1', key).update(counter).digest();
  const at = (mac.at(-1) ?? 0) & 0x0f;
  const number = (mac.readUInt32BE(at) & 0x7fff_ffff) % 10 ** digits;
  return String(number).padStart(digits, '0');
}

/** The step that a time is in. */
export function totpStep(nowMs: number): number {
  return Math.floor(nowMs / periodMs);
}

/**
 * The step whose code was typed: the current one or a neighbour (RFC 6238 §5.2), and one behind `lastStep`, since a code is good
 * once. Undefined for any other code.
 */
export function matchTotp(
  key: Uint8Array,
  code: string,
  { nowMs, lastStep }: { nowMs: number; lastStep: number },
): number | undefined {
  if (code.length !== digits) return undefined;
  const now = totpStep(nowMs);
  const given = Buffer.from(code.padEnd(digits).slice(0, digits), 'latin1');
  return [now, now - 1, now + 1].find(
    (step) => step > lastStep && timingSafeEqual(Buffer.from(totpCode(key, step), 'latin1'), given),
  );
}

/** Bytes in base 32 without padding. */
export function toBase32(bytes: Uint8Array): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return (bits.match(/.{1,5}/g) ?? []).map((five) => alphabet[parseInt(five.padEnd(5, '0'), 2)]).join('');
}

/** The bytes of a text in base 32. */
export function fromBase32(text: string): Uint8Array {
  const bits = text.replaceAll(/./g, (letter) => alphabet.indexOf(letter).toString(2).padStart(5, '0'));
  return Uint8Array.from(bits.match(/.{8}/g) ?? [], (byte) => parseInt(byte, 2));
}

/** What an authenticator is given, as a link or a picture (github.com/google/google-authenticator/wiki/Key-Uri-Format). */
export function totpUri({ issuer, account, key }: { issuer: string; account: string; key: string }): string {
  const label = `${encodeURIComponent(issuer)}:${encodeURIComponent(account)}`;
  return `otpauth://totp/${label}?secret=${key}&issuer=${encodeURIComponent(issuer)}&algorithm=SHA1&digits=6&period=30`;
}
