// `./dev soak events [--rounds N] [--seed N]`: the events service killed while players report, again and again.
import { proveEvents } from '../support/events-soak.ts';
import { runProof } from '../support/proof.ts';

const claim =
  'Players of 5,000 sessions report ten million events in batches, some twice, some a day late, while the events service and billing are killed with ' +
  'SIGKILL at random moments; a batch that was not answered is sent again. In the end how playing went, by site, appliance, device and title, is ' +
  'what the batches add up to, each event once, and the accounts of two hundred sessions that are charged by the second have used what was played, each second once.';

await runProof('events', { claim, rounds: 50 }, (options) => proveEvents(options, { batchesPerRound: 2000 }));
