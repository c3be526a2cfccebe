import t from 'tap';

import { canCompile } from '../bench/serve/programs.ts';
import { proveServe } from '../support/serve-soak.ts';

t.setTimeout(180_000);

t.test('a short soak: chaos breaks no answer', async (t) => {
  if (!(await canCompile())) {
    t.pass('it serves', { skip: 'needs a C compiler and libssl-dev' });
    return;
  }
  const size = { seed: 1, rounds: 2, roundSeconds: 2, slowConnections: 200, requestsMin: 1000 };
  // Memory has not settled in seconds.
  const { holds, lines } = await proveServe({ ...size, driftMax: Infinity });
  t.ok(holds, lines.join('\n'));
});
