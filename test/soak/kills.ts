// `./dev soak kills [--seed N] [--rounds N]`: a random box killed in mid-play, again and again.
import { runProof } from '../support/proof.ts';
import { proveKills } from '../support/kills.ts';

const claim =
  'A random process is killed with SIGKILL at a random moment of a playback; the playback ends with every byte verified, ' +
  'the process is started again, and steering offers every box again before the next round.';

await runProof('kills', { claim, rounds: 100 }, proveKills);
