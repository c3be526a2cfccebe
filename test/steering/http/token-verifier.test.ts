import type { KeyObject } from 'node:crypto';
import t from 'tap';
import { generateKey } from '../../../common/runtime/keys.ts';
import { createManualClock } from '../../../common/runtime/manual-clock.ts';
import { createTokenVerifier } from '../../../steering/http/token-verifier.ts';
import { testToken } from '../../support/appliance/content.ts';

const HOUR_S = 3600;

/** A verifier over one key. Whoever verifies anew with `other` in its place finds no signature of it. */
function open(sizes: { claimsBytesMax?: number; signaturesBytesMax?: number } = {}) {
  const clock = createManualClock();
  const key = generateKey();
  const other = generateKey();
  const state: { key: KeyObject | undefined; sequence: number } = { key: key.publicKey, sequence: 1 };
  const verify = createTokenVerifier({
    findKey: () => state.key,
    keysSequence: () => state.sequence,
    salt: 'salt',
    clock,
    ...sizes,
  });
  const token = (lifeS: number): string => {
    const nowMs = clock.nowMs();
    return testToken(key, { bundle: 'cd'.repeat(32), nowMs, expiresAtS: nowMs / 1000 + lifeS });
  };
  const verifyNoMore = (): void => {
    state.key = other.publicKey;
  };
  return { clock, key, state, verify, token, verifyNoMore };
}

for (const [memory, sizes] of Object.entries({
  'claims and signatures': {},
  'signatures alone': { claimsBytesMax: 1 },
}))
  t.test(`${memory}: a signature is verified once in the life of a token`, async (t) => {
    const { clock, verify, token, verifyNoMore } = open(sizes);
    const asked = token(8 * HOUR_S);
    const claims = verify(asked);
    verifyNoMore();
    for (let hour = 0; hour < 7; hour++) {
      await clock.advance(HOUR_S * 1000);
      t.strictSame(verify(asked), claims);
    }
    await clock.advance(HOUR_S * 1000);
    t.throws(() => verify(asked), { code: 'TOKEN_EXPIRED' });
    t.throws(() => verify(token(HOUR_S)), { code: 'TOKEN_INVALID' }, 'others are verified');
  });

t.test('a key that runs out, or is withdrawn, counts at once; and when keys change all is verified', (t) => {
  const { state, key, verify, token, verifyNoMore } = open();
  const asked = token(HOUR_S);
  verify(asked);
  state.key = undefined;
  t.throws(() => verify(asked), { code: 'TOKEN_INVALID' });
  state.key = key.publicKey;
  t.match(verify(asked), { scope: 'play' });
  verifyNoMore();
  t.match(verify(asked), { scope: 'play' });
  state.sequence++;
  t.throws(() => verify(asked), { code: 'TOKEN_INVALID' });
  state.key = key.publicKey;
  t.match(verify(asked), { scope: 'play' });
  t.end();
});

t.test('what was cut out of a long request is remembered by itself, and memory is bounded', (t) => {
  const { verify, token } = open({ claimsBytesMax: 64 * 1024, signaturesBytesMax: 1024 });
  for (let at = 0; at < 400; at++) t.match(verify(token(HOUR_S)), { scope: 'play' });
  t.end();
});
