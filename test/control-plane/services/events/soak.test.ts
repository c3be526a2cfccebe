import t from 'tap';

import { proveEvents } from '../../../support/events-soak.ts';

t.test(
  'events count once over kills: the short form of `./dev soak events`',
  { timeout: 240_000 },
  async (t) => {
    const { holds, lines } = await proveEvents({ seed: 7, rounds: 3 }, { batchesPerRound: 60 });
    t.ok(holds, lines.join('\n'));
  },
);
