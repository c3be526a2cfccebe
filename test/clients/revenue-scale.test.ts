import t from 'tap';

import { formatMoney, monthLabels, revenueIn } from '../../clients/console/revenue-scale.ts';

const month = (name: string, amount = 0) => ({
  ...{ month: name, before: 0, began: 0, ended: 0 },
  revenue: amount === 0 ? [] : [{ currency: 'EUR', amount }],
});

t.test('amounts have all decimals of their currency', async (t) => {
  const [euros, yen, dinars] = [
    { currency: 'EUR', decimals: 2 },
    { currency: 'JPY', decimals: 0 },
    { currency: 'KWD', decimals: 3 },
  ];
  t.equal(formatMoney(123_456_789, euros), '1\u202f234\u202f567.89 EUR');
  t.equal(formatMoney(5, euros), '0.05 EUR');
  t.equal(formatMoney(-1205, euros), '−12.05 EUR');
  t.equal(formatMoney(1200, yen), '1\u202f200 JPY');
  t.equal(formatMoney(0, dinars), '0.000 KWD');
});

t.test('months of a currency, and what stands below them', async (t) => {
  t.equal(revenueIn(month('2026-01', 999), 'EUR'), 999);
  t.equal(revenueIn(month('2026-01', 999), 'JPY'), 0);
  const months = ['2025-11', '2025-12', '2026-01'].map((name) => month(name));
  t.same(monthLabels(months, [0, 1, 2]), ['Nov\n2025', 'Dec', 'Jan\n2026']);
  t.same(monthLabels(months, [0.5, 2, 3]), ['', 'Jan\n2026', ''], 'none between months');
});
