// `./dev soak services [--seed N] [--rounds N]`: the services of the control plane apart, a random one killed again and again.
import { runProof } from '../support/proof.ts';
import { proveServices } from '../support/services-soak.ts';

const claim =
  'The core and the six services that can run apart are processes of their own behind the gateway. Households sign up, pay, search, are shown rows, ' +
  'start playbacks, tell of them, report positions and ratings, and use what is billed, each until it is acknowledged, while a random process is killed ' +
  'with SIGKILL and started again. What does not need that process goes on while it is away; what does is answered 503 with a code and Retry-After, or, where ' +
  'it was under way in the process and may not be repeated by others, 502; nothing else is answered with a 5xx, and nothing at all once all are back. In the end no position, ' +
  'rating, usage, subscription, payment or playback that was acknowledged is lost or there twice, the ledger verifies, and memory is bounded.';

await runProof('services', { claim, rounds: 100 }, proveServices);
