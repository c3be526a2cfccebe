import fc from 'fast-check';
import t from 'tap';

import { currencyCodes, currencyDecimals } from '../../../common/core/currency.ts';
import { amountMax, amountText, parseAmount, share, splitByWeights } from '../../../common/core/money.ts';

const currency = fc.constantFrom(...currencyCodes);
const amount = fc.integer({ min: -amountMax, max: amountMax });

t.test('what is written of an amount is read again, in every currency', (t) => {
  fc.assert(
    fc.property(amount, currency, (amount, currency) => {
      const text = amountText(amount, currency);
      const [, fraction = ''] = text.split('.');
      const parsed = parseAmount(text, currency);
      return parsed.ok && Object.is(parsed.value, amount) && fraction.length === currencyDecimals(currency);
    }),
  );
  t.equal(amountText(5, 'EUR'), '0.05');
  t.equal(amountText(-1205, 'KWD'), '-1.205');
  t.equal(amountText(1205, 'JPY'), '1205');
  t.strictSame(parseAmount('9.9', 'EUR'), { ok: true, value: 990 });
  t.strictSame(parseAmount('-0', 'EUR'), { ok: true, value: 0 });
  t.end();
});

t.test('what is no amount is refused', (t) => {
  for (const text of [
    '',
    '.',
    '1.',
    '.5',
    '1,5',
    '1e3',
    'NaN',
    'Infinity',
    '--1',
    '+1',
    '0x10',
    '٣',
    '1 000',
    '1.234',
    '1.20000',
  ])
    t.match(parseAmount(text, 'EUR'), { ok: false, code: 'AMOUNT_INVALID' }, text);
  t.match(parseAmount('1.0', 'JPY'), { ok: false, code: 'AMOUNT_INVALID' }, 'decimals that yen do not have');
  t.match(parseAmount('1000000000000.01', 'EUR'), { ok: false, code: 'AMOUNT_INVALID' }, 'too much');
  t.match(parseAmount('9'.repeat(400), 'EUR'), { ok: false, code: 'AMOUNT_INVALID' }, 'far too much');
  for (const code of ['', 'eur', 'EURO', 'XAU', 'XXX', 'toString'])
    t.match(parseAmount('1', code), { ok: false, code: 'CURRENCY_UNKNOWN' }, code);
  t.end();
});

t.test('decimals are those of the standard; where ICU has others it is known', (t) => {
  // ICU shows amounts as people use them: without the fils, pence or pyas that coins no longer have.
  const differ = currencyCodes.filter((code) => {
    const shown = new Intl.NumberFormat('en', { style: 'currency', currency: code }).resolvedOptions();
    return shown.maximumFractionDigits !== currencyDecimals(code);
  });
  const fewer = differ.every((code) => {
    const shown = new Intl.NumberFormat('en', { style: 'currency', currency: code }).resolvedOptions();
    return (shown.maximumFractionDigits ?? 0) < (currencyDecimals(code) ?? 0);
  });
  t.ok(fewer, `fewer decimals in use than in the standard: ${differ.join(' ')}`);
  t.strictSame(new Set(currencyCodes).size, currencyCodes.length);
  const unknown = ['BGN', 'CUC', 'HRK', 'ANG', 'SLL', 'ZWL'].filter(
    (code) => currencyDecimals(code) !== undefined,
  );
  t.strictSame(unknown, [], 'currencies that were withdrawn');
  t.end();
});

t.test('a share is the nearest whole, a half goes away from zero, and signs make no difference', (t) => {
  fc.assert(
    fc.property(amount, fc.nat(), fc.integer({ min: 1, max: 2 ** 31 }), (amount, numerator, denominator) => {
      fc.pre(numerator <= denominator);
      const part = BigInt(share(amount, numerator, denominator));
      const twiceOff = 2n * (part * BigInt(denominator) - BigInt(amount) * BigInt(numerator));
      const isNearest = twiceOff <= BigInt(denominator) && twiceOff >= -BigInt(denominator);
      return isNearest && share(-amount, numerator, denominator) === -Number(part);
    }),
  );
  t.equal(share(1, 1, 2), 1);
  t.equal(share(-1, 1, 2), -1);
  t.equal(share(amountMax, 10 ** 15 - 1, 10 ** 15), amountMax, 'exact far above 2^53');
  t.throws(() => share(1, 1, 0), RangeError);
  t.throws(() => share(0.5, 1, 2), RangeError);
  t.throws(() => share(Number.NaN, 1, 2), RangeError);
  t.throws(() => share(amountMax, amountMax, 1), RangeError);
  t.end();
});

t.test('parts sum to the whole, and none is a unit off its due', (t) => {
  const weights = fc.array(fc.nat(), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(amount, weights, (amount, weights) => {
      const parts = splitByWeights(amount, weights);
      const whole = weights.reduce((sum, weight) => sum + BigInt(weight), 0n);
      const sum = parts.reduce((total, part) => total + BigInt(part), 0n);
      const isDue = parts.every((part, index) => {
        if (whole === 0n) return true;
        const off = BigInt(part) * whole - BigInt(amount) * BigInt(weights[index] ?? 0);
        return off < whole && off > -whole;
      });
      return parts.length === weights.length && sum === BigInt(amount) && isDue;
    }),
  );
  t.strictSame(splitByWeights(100, [1, 1, 1]), [34, 33, 33], 'of equals the first gets the rest');
  t.strictSame(splitByWeights(-100, [1, 1, 1]), [-34, -33, -33]);
  t.strictSame(splitByWeights(5, [0, 0]), [3, 2]);
  t.throws(() => splitByWeights(5, []), RangeError);
  t.throws(() => splitByWeights(5, [1, -1]), RangeError);
  t.end();
});
