import t from 'tap';
import { generateKey } from '../../../common/runtime/keys.ts';
import { createManualClock } from '../../../common/runtime/manual-clock.ts';
import { createTokenVerifier } from '../../../steering/http/token-verifier.ts';
import { testToken } from '../../support/appliance/content.ts';

t.test(
  'a signature is remembered for a minute and as long as the keys stay; expiry is always asked',
  async (t) => {
    const clock = createManualClock();
    const key = generateKey();
    const state = { inForce: true, asked: 0, sequence: 1 };
    const verify = createTokenVerifier({
      findKey: () => {
        state.asked++;
        return state.inForce ? key.publicKey : undefined;
      },
      keysSequence: () => state.sequence,
      clock,
    });
    const nowS = clock.nowMs() / 1000;
    const token = testToken(key, { bundle: 'cd'.repeat(32), nowMs: clock.nowMs(), expiresAtS: nowS + 90 });
    for (let time = 0; time < 3; time++) t.match(verify(token), { scope: 'play' });
    t.equal(state.asked, 1);
    state.inForce = false;
    t.match(verify(token), { scope: 'play' });
    state.sequence++;
    t.throws(() => verify(token), { code: 'TOKEN_INVALID' }, 'other keys count at once');
    state.inForce = true;
    verify(token);
    state.inForce = false;
    await clock.advance(60_000);
    t.throws(() => verify(token), { code: 'TOKEN_INVALID' }, 'a key that has run out counts within a minute');
    state.inForce = true;
    verify(token);
    await clock.advance(30_000);
    t.throws(() => verify(token), { code: 'TOKEN_EXPIRED' });
  },
);
