import fc from 'fast-check';
import t from 'tap';
import { availabilityOf, checkRelease, maySee, type Licensed } from '../../../control-plane/core/rights.ts';

const everything = { maturityMax: 18, region: 'DE' };

t.test('from draft to retired', async (t) => {
  const windows = [
    { regions: ['DE'], fromMs: 10, toMs: 20 },
    { regions: ['AT'], fromMs: 15, toMs: 30 },
  ];
  const at = (nowMs: number) => availabilityOf({ stage: 'published', windows }, nowMs);
  t.strictSame([9, 10, 20, 29, 30].map(at), ['scheduled', 'live', 'live', 'live', 'retired']);
  t.equal(availabilityOf({ stage: 'draft', windows }, 15), 'draft');
  t.equal(availabilityOf({ stage: 'retired' }, 15), 'retired');
  t.equal(availabilityOf(undefined, 15), 'live');
  t.equal(availabilityOf({ stage: 'published', windows: [] }, 15), 'live');
  const see = (region: string | undefined, nowMs: number) =>
    maySee([{ release: { stage: 'published', windows } }], { maturityMax: 18, region }, nowMs);
  t.strictSame(
    [9, 10, 19, 20].map((nowMs) => see('DE', nowMs)),
    [false, true, true, false],
  );
  t.strictSame(
    [14, 15].map((nowMs) => see('AT', nowMs)),
    [false, true],
  );
  t.notOk(see('FR', 15));
  t.notOk(see(undefined, 15), 'nobody knows where: rights of some regions do not hold');
  t.match(checkRelease({ stage: 'draft', windows: [{}, { fromMs: 5, toMs: 5 }] }), {
    code: 'INVALID',
    detail: /windows\.1/,
  });
});

t.test('ages', async (t) => {
  const see = (maturities: (number | undefined)[], maturityMax: number) =>
    maySee(
      maturities.map((maturity) => ({ maturity })),
      { maturityMax },
      0,
    );
  t.ok(see([12], 12));
  t.notOk(see([13], 12));
  t.notOk(see([6, undefined, 16], 12), 'an episode is for no younger people than its series');
  t.ok(see([undefined, 6], 12), 'nor is a rating of the series missing');
  t.notOk(see([undefined], 17), 'what is not rated may be anything');
  t.ok(see([undefined, 18], 18));
});

t.test('more limits never show more', async () => {
  const windows = fc.array(
    fc.record(
      {
        regions: fc.array(fc.constantFrom('DE', 'AT'), { minLength: 1, maxLength: 2 }),
        fromMs: fc.nat({ max: 20 }),
        toMs: fc.nat({ max: 20 }),
      },
      { requiredKeys: [] },
    ),
    { maxLength: 3 },
  );
  const licensed: fc.Arbitrary<Licensed> = fc.record(
    {
      release: fc.record(
        { stage: fc.constantFrom('draft', 'published', 'retired'), windows },
        { requiredKeys: ['stage'] },
      ),
      maturity: fc.nat({ max: 18 }),
    },
    { requiredKeys: [] },
  );
  const viewer = fc.record({ region: fc.constantFrom('DE', undefined), maturityMax: fc.nat({ max: 18 }) });
  fc.assert(
    fc.property(
      fc.array(licensed, { minLength: 1, maxLength: 4 }),
      viewer,
      fc.nat({ max: 20 }),
      (all, who, nowMs) => {
        const shown = maySee(all, who, nowMs);
        const states = all.map(({ release }) => availabilityOf(release, nowMs));
        if (!shown) return true;
        return (
          maySee(all, { ...everything }, nowMs) &&
          states.every((state) => state === 'live') &&
          !maySee([...all, { release: { stage: 'draft' as const } }], who, nowMs)
        );
      },
    ),
  );
});
