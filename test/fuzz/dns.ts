// `./dev fuzz dns [--seed N] [--count N] [--record]`: mutated DNS queries by the million. `--record` answers ten million, if
// no other number is given, and writes docs/proofs/dns.md.
import { parseArgs } from 'node:util';

import { fuzzDns } from '../support/fuzz-dns.ts';
import { recordProof, type ProofResult } from '../support/proof.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    count: { type: 'string' },
    record: { type: 'boolean', default: false },
  },
});
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const count = Number(values.count ?? (values.record ? 10_000_000 : 1_000_000));
const claim =
  'Malformed DNS packets: well-formed queries for every name and type of a zone, with and without client subnets and cookies, changed in some bytes, cut or ' +
  'spliced, and noise. Nothing is thrown; what is no query is not answered; every reply can be read by dns-packet to its last byte, repeats id, opcode, RD ' +
  'and question byte for byte, and is no larger than may be sent; a query that the reader by hand has taken has the same reply when dns-packet reads it.';

const fuzz = async (): Promise<ProofResult> => {
  const startedMs = performance.now();
  const tally = fuzzDns({ seed, count });
  const perSecond = Math.round((count / (performance.now() - startedMs)) * 1000);
  const codes = [...tally.replies].sort().map(([code, number]) => `${code} ${number.toLocaleString('en')}`);
  return {
    holds: tally.wrong === 0,
    lines: [
      `${perSecond.toLocaleString('en')} packets/s; replies: ${codes.join(', ')}; not answered: ${tally.ignored.toLocaleString('en')}`,
      `Compared between the two readers: ${tally.compared.toLocaleString('en')}; rules broken: ${tally.wrong}`,
      ...(tally.finding === undefined ? [] : [tally.finding]),
    ],
  };
};

if (values.record) {
  const scale = `Packets: ${count.toLocaleString('en')}, seed ${seed}`;
  await recordProof(
    { name: 'dns', claim, scale, again: `./dev fuzz dns --seed ${seed} --count ${count}` },
    fuzz,
  );
} else {
  const { holds, lines } = await fuzz();
  process.stdout.write(`seed ${seed}\n${lines.join('\n')}\n`);
  process.exitCode = holds ? 0 : 1;
}
