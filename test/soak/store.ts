// `./dev soak store [--rounds N] [--seed N]`: a box killed while it fills, evicts, scrubs and serves, again and again; then its
// power cut, a quarter as often.
import { runProof } from '../support/proof.ts';
import { provePowerCuts, proveStore } from '../support/store-soak.ts';

const claim =
  'A box of two disks is killed with SIGKILL at a random moment while it fills, evicts, scrubs and serves viewers. After each ' +
  'start it holds exactly what lies whole on its disks, every answer that a viewer got whole is right, and in the end what ' +
  'is wanted is held, byte for byte. What was on a disk that vanishes is withdrawn in less than two seconds. The same holds ' +
  'where its power is cut: what it had not synced is gone, or there in part.';

await runProof('store', { claim, rounds: 200 }, async (options) => {
  const killed = await proveStore(options);
  const cut = await provePowerCuts({ ...options, rounds: Math.ceil(options.rounds / 4) });
  if (typeof cut === 'string') return { holds: false, lines: [...killed.lines, cut] };
  return { holds: killed.holds && cut.holds, lines: [...killed.lines, ...cut.lines] };
});
