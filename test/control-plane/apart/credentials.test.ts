import t from 'tap';

import { coded } from '../../../common/runtime/errors.ts';
import { createManualClock } from '../../../common/runtime/manual-clock.ts';
import { answerCredentials, askForCredentials } from '../../../control-plane/apart/credentials.ts';
import { fakeVerifiers } from '../support/fake-credentials.ts';

t.test('a token is believed for five seconds, a refusal never, and a proof once', async (t) => {
  const clock = createManualClock();
  let asked = 0;
  let isEnded = false;
  const claims = {
    iss: 'nearcast',
    aud: 'nearcast',
    sub: 'x',
    role: 'viewer',
    iat: 1,
    exp: 2,
    jti: 'j',
  } as const;
  const verifiers = askForCredentials(
    answerCredentials({
      ...fakeVerifiers,
      access: async (token) => {
        asked++;
        if (isEnded || token !== 'good') throw coded('CREDENTIAL_INVALID', 'it has ended');
        return claims;
      },
      node: async () => {
        asked++;
        return { nodeId: 'box', role: 'appliance' };
      },
    }),
    clock,
  );
  for (let count = 0; count < 3; count++) t.strictSame(await verifiers.access('good'), claims);
  t.equal(asked, 1);
  isEnded = true;
  t.strictSame(await verifiers.access('good'), claims);
  await clock.advance(5000);
  const refused = { code: 'CREDENTIAL_INVALID', message: /it has ended/ };
  await t.rejects(verifiers.access('good'), refused);
  await t.rejects(verifiers.access('good'), refused);
  t.equal(asked, 3);
  const call = { method: 'GET', path: '/' };
  for (let count = 0; count < 2; count++)
    t.strictSame(await verifiers.node('proof', call), { nodeId: 'box', role: 'appliance' });
  t.equal(asked, 5);
});
