// Lives random lives over the books in `argv[2]` and says after each step what was answered, until it is killed.
import { openBooks } from '../../common/adapters/records/open.ts';
import { createSystemChance } from '../../common/runtime/chance.ts';
import { createManualClock } from '../../common/runtime/manual-clock.ts';
import { createBilling } from '../../control-plane/services/billing/service.ts';
import { quiet } from '../control-plane/support/billing-lab.ts';
import { BillingLives, prepareLives } from './billing-life.ts';
import { seededRandom } from './seeded.ts';
import { onLost } from './on-lost.ts';

const [path = '', seed = '1', first = '0', startMs = '0', accounts = '200'] = process.argv.slice(2);
const books = await openBooks(`sqlite://${path}`, { onLost });
const clock = createManualClock({ nowMs: Number(startMs) });
const billing = createBilling({ ...quiet, books, clock, chance: createSystemChance() });
await prepareLives(billing);
const random = seededRandom(Number(seed));
const lives = new BillingLives({ billing, clock, random, accounts: Number(accounts) });
for (let number = Number(first); ; number++) {
  const done = await lives.step(number);
  process.stdout.write(`${JSON.stringify({ number, nowMs: clock.nowMs(), done })}\n`);
  // Lets the line out before the next commit blocks the process.
  await new Promise((resolve) => setImmediate(resolve));
}
