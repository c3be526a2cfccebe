import t from 'tap';

import { provePackage } from '../support/package/prove-package.ts';

t.test('installed offline in a clean Debian 12, enrolled, fills, serves', { timeout: 400_000 }, async (t) => {
  const proof = await provePackage({ seed: 1, rounds: 1 });
  if (typeof proof === 'string') {
    t.pass('the package serves', { skip: `not proved here: ${proof}` });
    return;
  }
  t.ok(proof.holds, proof.lines.join('\n'));
});
