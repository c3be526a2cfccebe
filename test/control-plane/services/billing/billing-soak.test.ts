import t from 'tap';

import { proveBilling } from '../../../support/billing-soak.ts';
import { proveYears } from '../../../support/billing-years.ts';

t.setTimeout(180_000);

t.test('a short soak: killed at any moment, the books balance and nothing is done twice', async (t) => {
  const { holds, lines } = await proveBilling({ seed: 1, rounds: 3 }, { stepsPerRound: 150, accounts: 20 });
  t.ok(holds, lines.join('\n'));
});

t.test('a year of forty subscribers, added up again', async (t) => {
  const { holds, lines } = await proveYears({ seed: 7 }, { subscribers: 40, days: 400 });
  t.ok(holds, lines.join('\n'));
});
