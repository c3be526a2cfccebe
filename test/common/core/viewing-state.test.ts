import fc from 'fast-check';
import t from 'tap';

import { compareStamps, joinRows, laterRegister } from '../../../common/core/viewing-state.ts';
import { viewingRows } from '../../support/viewing-arbitrary.ts';

const reports = fc.array(viewingRows, { maxLength: 10 });

t.test('joining is idempotent, commutative and associative', async (t) => {
  fc.assert(
    fc.property(viewingRows, viewingRows, viewingRows, (a, b, c) => {
      t.strictSame(joinRows(a, b), joinRows(b, a));
      t.strictSame(joinRows(joinRows(a, b), c), joinRows(a, joinRows(b, c)));
      const joined = joinRows(a, b);
      t.strictSame(joinRows(joined, joined, a), joined);
    }),
  );
});

t.test('any permutation and duplication of reports ends in the same state', async (t) => {
  fc.assert(
    fc.property(reports, fc.array(fc.nat(), { maxLength: 30 }), (all, order) => {
      const again = order.flatMap((at) => all[at % all.length] ?? []);
      t.strictSame(joinRows(...again, ...all.toReversed(), ...again), joinRows(...all));
    }),
  );
});

t.test('replicas that were parted in any way and meet in any way are the same', async (t) => {
  fc.assert(
    fc.property(
      reports,
      fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 10, maxLength: 10 }),
      (all, seenBy) => {
        // Bit n of a report's number: replica n has seen it.
        const replica = (bit: number) => joinRows(...all.filter((_, at) => ((seenBy[at] ?? 1) & bit) !== 0));
        const [a, b, c] = [replica(1), replica(2), replica(4)];
        t.strictSame(joinRows(joinRows(a, b), c), joinRows(...all));
        t.strictSame(joinRows(c, joinRows(b, a), a), joinRows(...all));
      },
    ),
  );
});

t.test('time decides, then the device, then its sequence; of one stamp the greater value', async (t) => {
  const stamp = (atMs: number, deviceId: string, sequence: number) => ({ atMs, deviceId, sequence });
  const sorted = [stamp(1, 'b', 9), stamp(2, 'B', 1), stamp(2, 'a', 1), stamp(2, 'a', 2), stamp(2, 'b', 0)];
  t.strictSame(sorted.toReversed().sort(compareStamps), sorted);
  const at = stamp(1, 'a', 1);
  t.strictSame(laterRegister({ stamp: at, value: 1 }, { stamp: at, value: 2 }), { stamp: at, value: 2 });
  t.strictSame(laterRegister({ stamp: at, value: 2 }, { stamp: at, value: 1 }), { stamp: at, value: 2 });
});
