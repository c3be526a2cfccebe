import t from 'tap';

import { proveKills } from '../support/kills.ts';

t.test('three kills in mid-play, every byte verified', { timeout: 180_000 }, async (t) => {
  const { holds, lines } = await proveKills({ seed: 7, rounds: 3 });
  t.ok(holds, lines.join('\n'));
});
