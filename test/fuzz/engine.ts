// `./dev fuzz engine [--runs N] [--seconds N] [--seed N] [--record]`: requests and whole connections of the native engine,
// by libFuzzer with ASan and UBSan. `--record` writes docs/proofs/engine.md.
import { parseArgs } from 'node:util';

import { fuzzEngine, type Fuzzed } from '../support/fuzz-engine.ts';
import { recordProof } from '../support/proof.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string' },
    seconds: { type: 'string' },
    seed: { type: 'string' },
    record: { type: 'boolean', default: false },
  },
});
const numberOf = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Number(text);
const seconds = numberOf(values.seconds);
const runs = numberOf(values.runs) ?? (seconds === undefined ? 1_000_000 : undefined);
const claim =
  'Malformed requests, and connections on which everything that can go wrong does in any order: parsing agrees with a ' +
  'simple reading of the same rules however the bytes are split; no answer is longer than its range or out of its turn; ' +
  'every record, reference and lent buffer is given back. With libFuzzer, AddressSanitizer (leaks too) and UBSan.';

function describe({ target, runs: done, perSecond, coverage, finding }: Fuzzed): string {
  const result = finding === undefined ? 'clean' : 'NOT CLEAN';
  return `${target}: ${done.toLocaleString('en')} executions, ${perSecond.toLocaleString('en')}/s, ${coverage} edges, ${result}`;
}

const fuzzAll = async () => {
  const results = await fuzzEngine({ runs, seconds, seed: numberOf(values.seed) });
  for (const { finding } of results) if (finding !== undefined) process.stderr.write(`${finding}\n`);
  return { holds: results.every(({ finding }) => finding === undefined), lines: results.map(describe) };
};

if (values.record) {
  const scale = runs === undefined ? `${seconds} s` : `${runs.toLocaleString('en')} executions`;
  const again = `./dev fuzz engine ${runs === undefined ? `--seconds ${seconds}` : `--runs ${runs}`}`;
  await recordProof({ name: 'engine', claim, scale, again }, fuzzAll);
} else {
  const { holds, lines } = await fuzzAll();
  process.stdout.write(`${lines.join('\n')}\n`);
  process.exitCode = holds ? 0 : 1;
}
