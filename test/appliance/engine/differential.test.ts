import t from 'tap';

import { compareEngines, startPair } from '../../support/appliance/differential.ts';

t.setTimeout(180_000);

for (const [name, secure] of [
  ['HTTP', false],
  ['HTTPS', true],
] as const) {
  t.test(`both engines answer any conversation with the same bytes, over ${name}`, async (t) => {
    const pair = await startPair(t, { secure });
    // The same conversations in every run: what fails fails again.
    const statuses = await compareEngines(pair, { seed: 3, count: secure ? 200 : 300 });
    for (const status of ['200', '206', '400', '404']) t.ok((statuses.get(status) ?? 0) > 0, status);
  });
}
