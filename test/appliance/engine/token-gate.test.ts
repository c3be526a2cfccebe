import t from 'tap';

import { BundleIndex } from '../../../appliance/engine/bundle-index.ts';
import { TokenGate } from '../../../appliance/engine/token-gate.ts';
import { generateKey } from '../../../common/runtime/keys.ts';
import { createManualClock } from '../../../common/runtime/manual-clock.ts';
import { testToken } from '../../support/appliance/content.ts';

const file = 'ab'.repeat(32);

function makeGate() {
  const clock = createManualClock();
  const key = generateKey();
  const state = { inForce: true, asked: 0 };
  const gate = new TokenGate({
    findKey: (kid) => {
      state.asked++;
      return state.inForce && kid === key.kid ? key.publicKey : undefined;
    },
    bundles: new BundleIndex({ content: { open: () => Promise.resolve(undefined) }, filesMax: 10 }),
    revocations: { isSessionRevoked: () => false, isBundleRevoked: () => false },
    clock,
    cacheBytes: 2 ** 20,
  });
  const token = testToken(key, { scope: 'fill', appliance: 'isp-a-1', nowMs: clock.nowMs() });
  const admit = () => gate.admit({ token, file, ext: 'mp4' }, '192.0.2.1');
  return { clock, state, gate, token, admit };
}

void t.test('a signature is verified once a minute, so that a key that has run out counts', async (test) => {
  const { clock, state, admit } = makeGate();
  for (let time = 0; time < 3; time++) test.match(await admit(), { ok: true });
  test.equal(state.asked, 1);
  state.inForce = false;
  await clock.advance(59_999);
  test.match(await admit(), { ok: true });
  await clock.advance(1);
  test.match(await admit(), { ok: false, code: 'TOKEN_INVALID' });
});

void t.test('changed keys count at once, and leave known who is known', async (test) => {
  const { state, gate, token, admit } = makeGate();
  test.notOk(gate.isKnown(token));
  await admit();
  gate.verifyAgain();
  test.ok(gate.isKnown(token), 'a drain goes on serving it');
  test.match(await admit(), { ok: true });
  state.inForce = false;
  gate.verifyAgain();
  test.match(await admit(), { ok: false, code: 'TOKEN_INVALID' });
  test.notOk(gate.isKnown(token));
});
