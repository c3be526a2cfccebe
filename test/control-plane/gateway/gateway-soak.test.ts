import t from 'tap';

import { proveGateway } from '../../support/gateway-soak.ts';

t.setTimeout(180_000);

t.test('mixed load while services die and the gateway starts anew: no gap, no 5xx', async (t) => {
  const { holds, lines } = await proveGateway({ seed: 7, rounds: 3 });
  t.ok(holds, lines.join('\n'));
});
