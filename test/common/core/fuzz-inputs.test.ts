import t from 'tap';

import { fuzzInputs } from '../../support/fuzz-inputs.ts';

t.test('a short run of the input fuzzer finds nothing wrong', async (t) => {
  t.match(fuzzInputs({ seed: 1, count: 20_000 }), { tokens: 4000, wrong: 0 });
});
