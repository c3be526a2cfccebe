// `./dev soak billing-years [--rounds N] [--seed N]`: three years of a thousand subscribers a round.
import { proveYears } from '../support/billing-years.ts';
import { runProof } from '../support/proof.ts';

const claim =
  'A thousand subscribers in four currencies and time zones live through three years, day by day: trials, cards that fail now and then or ' +
  'always, dunning, changes of plan, pauses, ends, returns, refunds, disputes, usage that is told late or twice, and a bank whose answers are ' +
  'lost now and then. In the end ' +
  'the ledger agrees with all papers added up again, cash with what the bank itself has counted, nothing is on its way for ever, and every ' +
  'invoice and credit note of every subscriber, through changes of plan and of period, pauses, coupons, ends and returns, is what a recount says ' +
  'that knows the documented rules and none of the code.';

await runProof('billing-years', { claim, rounds: 1 }, async ({ seed, rounds }) => {
  const lines: string[] = [];
  for (let round = 0; round < rounds; round++) {
    const result = await proveYears({ seed: seed + round }, { subscribers: 1000, days: 3 * 365 });
    lines.push(...result.lines);
    if (!result.holds) return { holds: false, lines };
  }
  return { holds: true, lines };
});
