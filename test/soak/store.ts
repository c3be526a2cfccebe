// `./dev soak store [--rounds N] [--seed N]`: a box killed while it fills, evicts, scrubs and serves, again and again.
import { runProof } from '../support/proof.ts';
import { proveStore } from '../support/store-soak.ts';

const claim =
  'A box of two disks is killed with SIGKILL at a random moment while it fills, evicts, scrubs and serves viewers. After each ' +
  'start it holds exactly what lies whole on its disks, every answer that a viewer got whole is right, and in the end what ' +
  'is wanted is held, byte for byte. What was on a disk that vanishes is withdrawn in less than two seconds.';

await runProof('store', { claim, rounds: 200 }, proveStore);
