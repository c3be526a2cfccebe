import t from 'tap';

import { checkDocument, usableKey } from '../../../common/core/documents.ts';

const payload = {
  version: 1,
  audience: 'isp-a-1',
  sequence: 5,
  issuedAtMs: 0,
  notAfterMs: 1000,
  body: 'it',
} as const;

t.test('audience, sequence and notAfter', async (t) => {
  const demands = { audience: 'isp-a-1', sequenceMin: 5, nowMs: 999 };
  t.strictSame(checkDocument(payload, demands), { ok: true, value: 'it' });
  t.match(checkDocument(payload, { ...demands, audience: 'isp-b-1' }), {
    ok: false,
    code: 'DOCUMENT_FOREIGN',
  });
  t.match(checkDocument({ ...payload, audience: '*' }, { ...demands, audience: 'isp-b-1' }), { ok: true });
  t.match(checkDocument(payload, { ...demands, sequenceMin: 6 }), {
    ok: false,
    code: 'DOCUMENT_STALE',
  });
  t.match(checkDocument(payload, { ...demands, nowMs: 1000 }), {
    ok: false,
    code: 'DOCUMENT_EXPIRED',
  });
});

t.test('a key counts for its use, in its time, until revoked', async (t) => {
  const jwk = { kty: 'EC', crv: 'P-256', x: 'x', y: 'y' } as const;
  const key = {
    kid: 'k',
    use: 'tokens',
    jwk,
    notBeforeMs: 10,
    notAfterMs: 20,
    revoked: false,
  } as const;
  const keyset = { keys: [key, { ...key, kid: 'r', revoked: true }] };
  const want = { kid: 'k', use: 'tokens', nowMs: 15 } as const;
  t.match(usableKey(keyset, want), { ok: true });
  t.match(usableKey(keyset, { ...want, use: 'access' }), {
    ok: false,
    code: 'KEY_UNKNOWN',
  });
  t.match(usableKey(keyset, { ...want, nowMs: 9 }), {
    ok: false,
    code: 'KEY_UNKNOWN',
  });
  t.match(usableKey(keyset, { ...want, nowMs: 20 }), {
    ok: false,
    code: 'KEY_UNKNOWN',
  });
  t.match(usableKey(keyset, { ...want, kid: 'r' }), {
    ok: false,
    code: 'KEY_UNKNOWN',
  });
});
