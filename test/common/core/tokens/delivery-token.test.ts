import { createPublicKey, generateKeyPairSync } from 'node:crypto';

import { Encoder, Tag } from 'cbor-x';
import fc from 'fast-check';
import t from 'tap';

import { formatPrefix, fromBytes } from '../../../../common/core/ip-address.ts';
import { decodeClientNetworks, isClientIn } from '../../../../common/core/tokens/client-networks.ts';
import { readCoseSign1 } from '../../../../common/core/tokens/cose-sign1.ts';
import {
  mintDeliveryToken,
  playExpiryS,
  tokenLengthMax,
  verifyDeliveryToken,
  type DeliveryClaims,
} from '../../../../common/core/tokens/delivery-token.ts';

const { privateKey, publicKey } = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
});
const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const kid = Buffer.alloc(32, 7).toString('base64url');
const nowMs = Date.UTC(2026, 0, 1);
const nowS = nowMs / 1000;
const findKey = (wanted: string) => (wanted === kid ? publicKey : undefined);
const session = 'ab'.repeat(16);
const bundle = 'cd'.repeat(32);
const play: DeliveryClaims = {
  scope: 'play',
  session,
  bundle,
  issuedAtS: nowS,
  expiresAtS: nowS + 60,
};

t.test('claims of every scope come back as they were minted', async (t) => {
  const all: DeliveryClaims[] = [
    play,
    {
      scope: 'fill',
      session,
      appliance: 'isp-a-1',
      issuedAtS: nowS,
      expiresAtS: nowS + 60,
    },
    { ...play, scope: 'steer', pathways: ['isp-a-1', 'origin'] },
    { ...play, clients: ['192.0.2.0/24', '198.51.100.7/32', '2001:db8:1::/48', '::/0'] },
  ];
  for (const claims of all) {
    const token = mintDeliveryToken(claims, { kid, key: privateKey });
    t.match(token, /^[A-Za-z0-9_-]+$/);
    t.strictSame(verifyDeliveryToken(token, { findKey, nowMs }), {
      ok: true,
      value: claims,
    });
  }
});

t.test('expired, early, forged and foreign tokens are refused', async (t) => {
  const mint = (claims: DeliveryClaims, key = privateKey, by = kid) =>
    mintDeliveryToken(claims, { kid: by, key });
  const code = (token: string, atMs = nowMs) => {
    const result = verifyDeliveryToken(token, { findKey, nowMs: atMs });
    return result.ok ? 'ok' : result.code;
  };
  t.equal(code(mint(play), nowMs + 59_999), 'ok');
  t.equal(code(mint(play), nowMs + 60_000), 'TOKEN_EXPIRED');
  t.equal(code(mint({ ...play, issuedAtS: nowS + 31 })), 'TOKEN_INVALID');
  t.equal(code(mint(play, other.privateKey)), 'TOKEN_INVALID', 'another key under our kid');
  t.equal(
    code(mint(play, privateKey, Buffer.alloc(32, 8).toString('base64url'))),
    'TOKEN_INVALID',
    'unknown kid',
  );
  t.equal(code('x'.repeat(tokenLengthMax + 1)), 'TOKEN_INVALID');
  t.equal(code(''), 'TOKEN_INVALID');
  t.equal(code('../../etc/passwd'), 'TOKEN_INVALID');
  t.ok(createPublicKey(other.privateKey).equals(other.publicKey));
});

t.test('no changed bit of a token passes', async (t) => {
  const token = mintDeliveryToken(play, { kid, key: privateKey });
  const bytes = Buffer.from(token, 'base64url');
  let passed = 0;
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const changed = Buffer.from(bytes);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    if (verifyDeliveryToken(changed.toString('base64url'), { findKey, nowMs }).ok) passed++;
  }
  t.equal(passed, 0);
});

t.test('any bytes are answered, not thrown at', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      // 0xd2 0x84: tag 18 and an array of four, so that what follows is looked at.
      for (const head of [[], [0xd2, 0x84], [0xd8, 0x3d, 0xd2, 0x84]]) {
        const token = Buffer.from([...head, ...bytes]).toString('base64url');
        if (verifyDeliveryToken(token, { findKey, nowMs }).ok) return false;
      }
      return true;
    }),
    { numRuns: 2000 },
  );
});

// CTA-5007 catnip is claim 311, its networks as RFC 9164 §3 has them.
t.test('the clients of a token are written as the standards say, and read no other way', async (t) => {
  const token = mintDeliveryToken(
    { ...play, clients: ['192.0.2.0/24', '2001:db8::/32'] },
    { kid, key: privateKey },
  );
  const hex = Buffer.from(token, 'base64url').toString('hex');
  t.match(hex, 'd83482' + '1818' + '43c00002', 'tag 52, [24, the first three bytes]');
  t.match(hex, 'd83682' + '1820' + '4420010db8');
  t.match(hex, '190137', 'the label 311');
  for (const clients of [[], ['192.0.2.1/24'], ['host'], new Array<string>(5).fill('::/0')]) {
    t.throws(() => mintDeliveryToken({ ...play, clients }, { kid, key: privateKey }));
  }
  const read = (value: unknown) => decodeClientNetworks(value);
  t.strictSame(read([new Tag(Buffer.from([192, 0, 2, 1]), 52)]), ['192.0.2.1/32'], 'an address by itself');
  const bad = [
    [],
    64_500,
    [64_500],
    [new Tag([24, Buffer.from([192, 0, 2, 0])], 52)],
    [new Tag([24, Buffer.from([192, 0, 2, 1])], 52)],
    [new Tag([33, Buffer.from([192])], 52)],
    [new Tag([8.5, Buffer.from([192])], 52)],
    [new Tag(Buffer.from([192, 0, 2]), 52)],
    [new Tag([8], 52)],
    [new Tag([24, Buffer.from([192, 0, 2])], 54), new Tag('x', 54)],
    [new Tag([8, Buffer.from([10])], 53)],
    new Array<Tag>(5).fill(new Tag([8, Buffer.from([10])], 52)),
  ];
  for (const value of bad) t.equal(read(value), undefined, JSON.stringify(value));
});

t.test('a token whose rule for clients is not understood is no token', async (t) => {
  for (const scope of ['play', 'fill', 'steer'] as const) {
    const claims = { ...play, scope, appliance: 'isp-a-1', pathways: ['a'] };
    const plain = mintDeliveryToken(claims, { kid, key: privateKey });
    t.ok(verifyDeliveryToken(plain, { findKey, nowMs }).ok);
    const ruled = mintDeliveryToken({ ...claims, clients: ['10.0.0.0/8'] }, { kid, key: privateKey });
    t.equal(verifyDeliveryToken(ruled, { findKey, nowMs }).ok, scope !== 'steer', scope);
  }
});

t.test('a client is in a network exactly when its bits are', async () => {
  const address = fc.uint8Array({ minLength: 4, maxLength: 4 });
  fc.assert(
    fc.property(fc.tuple(address, address, fc.nat(32), fc.boolean()), ([network, client, length, near]) => {
      const bits = (bytes: Uint8Array): string =>
        [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
      const from = near ? network : client;
      const prefix = formatPrefix(fromBytes(network), length);
      const expected = bits(from).startsWith(bits(network).slice(0, length));
      return (
        isClientIn([prefix], from.join('.')) === expected &&
        isClientIn(['2001:db8::/32', prefix], `::ffff:${from.join('.')}`) === expected
      );
    }),
  );
  t.ok(isClientIn(['fe80::/10'], 'fe80::1%eth0'));
  t.notOk(isClientIn(['::/0'], '192.0.2.1'));
  t.notOk(isClientIn(['0.0.0.0/0'], ''));
});

t.test(
  'the envelope: only tag 18 (in 61 or not) around four parts, with lengths in their shortest form',
  async (t) => {
    const token = Buffer.from(mintDeliveryToken(play, { kid, key: privateKey }), 'base64url');
    const read = (bytes: Buffer) => readCoseSign1(bytes) !== undefined;
    t.ok(read(token));
    t.ok(read(Buffer.concat([Buffer.from([0xd8, 61]), token])));
    t.notOk(read(Buffer.concat([Buffer.from([0xd8, 61, 0xd8, 61]), token])));
    t.notOk(read(Buffer.concat([Buffer.from([0xd8, 18]), token.subarray(1)])), 'tag 18 in two bytes');
    t.notOk(read(Buffer.concat([token, Buffer.from([0])])), 'something behind it');
    t.notOk(read(Buffer.from([0xd2, 0x9f, 0x40, 0xa0, 0x40, 0x40, 0xff])), 'an array without a length');
    t.notOk(read(Buffer.from([0xd2, 0x84, 0x5f, 0x40, 0xff, 0xa0, 0x40, 0x40])), 'a string in parts');
    t.notOk(read(Buffer.from([0xd2, 0x84, 0x5b, 0, 0, 0, 0, 0, 0, 0, 0, 0xa0, 0x40, 0x40])));
    t.notOk(read(Buffer.from([0xd2, 0x84, 0x58, 3, 1, 2, 3, 0xa0, 0x40, 0x40])), 'a length that is too long');
    t.notOk(read(Buffer.from([0xd2, 0x84, 0x40, 0xa1, 1, 2, 0x40, 0x40])), 'an unprotected header');
    t.ok(read(Buffer.from([0xd2, 0x84, 0x40, 0xa0, 0x40, 0x40])));
    const encoder = new Encoder({ mapsAsObjects: false, useRecords: false, tagUint8Array: false });
    const part = fc.uint8Array({ maxLength: 700 });
    fc.assert(
      fc.property(fc.tuple(part, part, part, fc.nat()), ([protectedHeader, payload, signature, at]) => {
        const parts = [Buffer.from(protectedHeader), new Map(), Buffer.from(payload), Buffer.from(signature)];
        const bytes = encoder.encode(new Tag(parts, 18));
        const found = readCoseSign1(bytes);
        if (found === undefined || !parts[2] || Buffer.compare(found.payload, payload) !== 0) return false;
        if (Buffer.compare(found.protectedHeader, protectedHeader) !== 0) return false;
        // Any part of it, and any other length of a part, is not one.
        return readCoseSign1(bytes.subarray(0, at % bytes.length)) === undefined;
      }),
    );
  },
);

t.test('expiry is twice the duration and four hours, at most a day', async (t) => {
  t.equal(playExpiryS(3_600_000, 0), 6 * 3600);
  t.equal(playExpiryS(100 * 3_600_000, 0), 24 * 3600);
});
