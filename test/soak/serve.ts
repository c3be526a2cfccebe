// `./dev soak serve [--rounds N] [--seed N]`: serving for a long time, with all that goes wrong in a year; a round is 20 s.
import { runProof } from '../support/proof.ts';
import { proveServe } from '../support/serve-soak.ts';

const claim =
  'At least 50 million mixed requests over at least 30 minutes, while clients vanish in mid-body, 10,000 slow connections ' +
  'are held, files are deleted under their readers, certificates are renewed and workers are killed: every answer is ' +
  'right, and memory grows by less than 5 %.';

const fullRounds = 95;
const full = { roundSeconds: 20, slowConnections: 10_000, driftMax: 0.05 };

await runProof('serve', { claim, rounds: fullRounds }, ({ seed, rounds }) =>
  proveServe({ ...full, seed, rounds, requestsMin: Math.floor((50_000_000 * rounds) / fullRounds) }),
);
