import fc from 'fast-check';
import t from 'tap';

import { contentRange, contentRangeUnsatisfiable, planRange } from '../../../common/core/http-range.ts';

const size = 1000;
const cases: [string | undefined, unknown][] = [
  [undefined, { kind: 'whole' }],
  ['bytes=0-0', { kind: 'part', range: { start: 0, end: 0 } }],
  ['bytes=0-', { kind: 'part', range: { start: 0, end: 999 } }],
  ['bytes=999-5000', { kind: 'part', range: { start: 999, end: 999 } }],
  ['bytes=-1', { kind: 'part', range: { start: 999, end: 999 } }],
  ['bytes=-5000', { kind: 'part', range: { start: 0, end: 999 } }],
  ['BYTES = 1-2', { kind: 'part', range: { start: 1, end: 2 } }],
  ['bytes=1000-', { kind: 'unsatisfiable' }],
  ['bytes=99999999999999999999-', { kind: 'unsatisfiable' }],
  [`bytes=5-${'9'.repeat(400)}`, { kind: 'part', range: { start: 5, end: 999 } }],
  ['bytes=9999999999999999999-', { kind: 'unsatisfiable' }],
  ['bytes=-0', { kind: 'unsatisfiable' }],
  ['bytes=5-4', { kind: 'whole' }],
  ['bytes=-', { kind: 'whole' }],
  ['bytes=', { kind: 'whole' }],
  ['bytes=a-b', { kind: 'whole' }],
  ['bytes=0-1,3-4', { kind: 'whole' }],
  ['lines=0-1', { kind: 'whole' }],
  ['0-1', { kind: 'whole' }],
  ['bytes=0x1-2', { kind: 'whole' }],
];

t.test('each form of the Range header', async (t) => {
  for (const [header, plan] of cases) t.strictSame(planRange(header, size), plan, String(header));
  t.strictSame(planRange('bytes=0-0', 0), { kind: 'unsatisfiable' }, 'nothing of an empty file exists');
  t.equal(contentRange({ start: 1, end: 2 }, 3), 'bytes 1-2/3');
  t.equal(contentRangeUnsatisfiable(3), 'bytes */3');
});

t.test('any header plans a range inside of the file or none', async () => {
  const text = fc.oneof(fc.string(), fc.stringMatching(/^bytes ?= ?[0-9,\- ]{0,30}$/));
  fc.assert(
    fc.property(text, fc.nat(), (header, sizeBytes) => {
      const plan = planRange(header, sizeBytes);
      if (plan.kind !== 'part') return true;
      const { start, end } = plan.range;
      return start >= 0 && start <= end && end < sizeBytes;
    }),
  );
});

t.test('a satisfiable first-last is taken as written', async () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(), fc.nat(), (a, b, more) => {
      const [start, end] = a < b ? [a, b] : [b, a];
      const plan = planRange(`bytes=${start}-${end}`, end + 1 + more);
      return plan.kind === 'part' && plan.range.start === start && plan.range.end === end;
    }),
  );
});
