import fc from 'fast-check';
import t from 'tap';
import {
  fromBase32,
  matchTotp,
  toBase32,
  totpCode,
  totpStep,
  totpUri,
} from '../../../../../control-plane/services/auth/core/totp.ts';

// RFC 6238 appendix B, the SHA-1 rows, whose last six digits are the code of six digits.
const key = Buffer.from('12345678901234567890');
const published = [
  [59, '94287082'],
  [1_111_111_109, '07081804'],
  [1_111_111_111, '14050471'],
  [1_234_567_890, '89005924'],
  [2_000_000_000, '69279037'],
  [20_000_000_000, '65353130'],
] as const;

t.test('the codes of RFC 6238', async (t) => {
  for (const [timeS, code] of published) t.equal(totpCode(key, totpStep(timeS * 1000)), code.slice(-6));
});

t.test('a code is taken within a step of its time, once, and no earlier one after it', async (t) => {
  const nowMs = 1_234_567_890_000;
  const now = totpStep(nowMs);
  for (const [step, wanted] of [
    [now - 2, undefined],
    [now - 1, now - 1],
    [now, now],
    [now + 1, now + 1],
    [now + 2, undefined],
  ] as const)
    t.equal(matchTotp(key, totpCode(key, step), { nowMs, lastStep: 0 }), wanted, String(step - now));
  t.equal(matchTotp(key, totpCode(key, now), { nowMs, lastStep: now }), undefined, 'used already');
  t.equal(matchTotp(key, totpCode(key, now - 1), { nowMs, lastStep: now }), undefined);
  t.equal(matchTotp(key, totpCode(key, now + 1), { nowMs, lastStep: now }), now + 1);
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.integer().map(String)), (code) => {
      const step = matchTotp(key, code, { nowMs, lastStep: 0 });
      return step === undefined || totpCode(key, step) === code;
    }),
  );
});

t.test('base 32 as in RFC 4648', async (t) => {
  for (const [text, wanted] of [
    ['', ''],
    ['f', 'MY'],
    ['fo', 'MZXQ'],
    ['foo', 'MZXW6'],
    ['foobar', 'MZXW6YTBOI'],
  ] as const)
    t.equal(toBase32(Buffer.from(text)), wanted);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) =>
      Buffer.from(fromBase32(toBase32(bytes))).equals(Buffer.from(bytes)),
    ),
  );
  t.equal(
    totpUri({ issuer: 'Nearcast', account: 'a b@example.com', key: 'MZXW6' }),
    'otpauth://totp/Nearcast:a%20b%40example.com?secret=MZXW6&issuer=Nearcast&algorithm=SHA1&digits=6&period=30',
  );
});
