import t from 'tap';

import { Limiter } from '../../../common/core/limiter.ts';

t.test('so many run at a time, the others in their order, whatever becomes of those before', async (t) => {
  const limiter = new Limiter({ runsMax: 2 });
  const gates = Array.from({ length: 5 }, () => Promise.withResolvers<undefined>());
  const begun: number[] = [];
  const runs = gates.map(({ promise }, number) =>
    limiter.run(() => {
      begun.push(number);
      return promise;
    }),
  );
  t.strictSame(begun, [0, 1]);
  gates[1]?.reject(new Error('broken'));
  await t.rejects(runs[1] ?? Promise.resolve(), /broken/);
  t.strictSame(begun, [0, 1, 2]);
  for (const { resolve } of gates) resolve(undefined);
  await Promise.allSettled(runs);
  t.strictSame(begun, [0, 1, 2, 3, 4]);
  t.equal(await limiter.run(() => Promise.resolve(7)), 7, 'every turn was given back');
});
