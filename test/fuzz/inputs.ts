// `./dev fuzz inputs [--seed N] [--count N]`: mutated tokens, paths, ranges, descriptors and conditions by the million.
import { parseArgs } from 'node:util';

import { fuzzInputs } from '../support/fuzz-inputs.ts';

const { values } = parseArgs({ options: { seed: { type: 'string' }, count: { type: 'string' } } });
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const count = Number(values.count ?? 1_000_000);
const startedMs = performance.now();
const tally = fuzzInputs({ seed, count });
const perSecond = Math.round((count / (performance.now() - startedMs)) * 1000);
process.stdout.write(`${count} inputs from seed ${seed}, ${perSecond}/s: ${JSON.stringify(tally)}\n`);
process.exitCode = tally.wrong === 0 ? 0 : 1;
