// `./dev soak package [--rounds N]`: the appliance's package in fresh Debian 12 chroots, from dpkg -i to purge.
import { runProof } from '../support/proof.ts';
import { provePackage } from '../support/package/prove-package.ts';

const claim =
  'In a clean Debian 12 each round, the package is installed without network, enrolled with a code, fills, serves every ' +
  'byte of a title to a client of its site, drains, serves again after an upgrade, and is purged.';

await runProof('package', { claim, rounds: 5 }, async (options) => {
  const proof = await provePackage(options);
  return typeof proof === 'string' ? { holds: false, lines: [`Cannot be proved here: ${proof}`] } : proof;
});
