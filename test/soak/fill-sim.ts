// `./dev soak fill-sim [--seed N] [--rounds N]`: fleets in simulated time; a round is 30 nights of 60 boxes from a seed of its own.
import { runProof } from '../support/proof.ts';
import { proveFillSim } from '../support/sim/fleet/prove.ts';

const claim =
  'In simulated time, 30 nights of 60 boxes in 12 sites with Zipf demand, changing ranks, launches, and failing disks, boxes, links ' +
  'and origins: nothing is evicted while leased, no cap of a box or link is exceeded, no disk takes more than it has, every ' +
  'planned file is present or explained, and no night changes more than its budget.';

await runProof('fill-sim', { claim, rounds: 4 }, proveFillSim);
