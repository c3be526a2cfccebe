import t from 'tap';

import { proveStore } from '../support/store-soak.ts';

t.setTimeout(180_000);

t.test('a short soak: killed at any moment, a box holds what is whole and serves nothing else', async (t) => {
  const { holds, lines } = await proveStore({ seed: 1, rounds: 6 });
  t.ok(holds, lines.join('\n'));
});
