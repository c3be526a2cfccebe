import t from 'tap';

import { proveServices } from '../support/services-soak.ts';

t.setTimeout(600_000);

t.test(
  'the services of a control plane apart, a random one killed: nothing is lost or doubled',
  async (t) => {
    const { holds, lines } = await proveServices({ seed: 7, rounds: 5 });
    t.ok(holds, lines.join('\n'));
  },
);
