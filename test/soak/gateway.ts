// `./dev soak gateway [--seed N] [--rounds N]`: mixed load while services die and the gateway starts anew.
import { proveGateway } from '../support/gateway-soak.ts';
import { runProof } from '../support/proof.ts';

const claim =
  'A gateway with two processes of a service behind it is asked for its own routes, for the service, and for what it must refuse, ' +
  'by callers of whom some leave, while a random process is killed or drained and started again, or the gateway itself is. ' +
  'Nothing is answered with a 5xx but what may not be repeated and was lost with its process (502), everything is answered, ' +
  'also while the gateway starts anew on the socket that is kept for it, and in the end no place is held and memory has stopped growing.';

await runProof('gateway', { claim, rounds: 500 }, proveGateway);
