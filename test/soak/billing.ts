// `./dev soak billing [--rounds N] [--seed N]`: billing killed amid random operations, again and again.
import { proveBilling } from '../support/billing-soak.ts';
import { runProof } from '../support/proof.ts';

const claim =
  'Subscribers in four currencies and time zones subscribe, watch what is charged by the minute, pay in full or in part, change plans, pause, resume, cancel, get credit ' +
  'notes and refunds, and time passes, while billing is killed with SIGKILL at random moments. After each kill every transaction ' +
  'sums to zero, the ledger agrees with what invoices and credit notes say, added up independently, numbers have no gaps, and what ' +
  'was answered before the kill is there once, with the same answer.';

await runProof('billing', { claim, rounds: 50 }, (options) =>
  proveBilling(options, { stepsPerRound: 2000, accounts: 200 }),
);
