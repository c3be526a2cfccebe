import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import t from 'tap';

import { makeCallers } from '../control-plane/support/callers.ts';
import { startPlane, temporaryDir } from '../control-plane/support/control-plane.ts';
import { nearcastCli } from '../support/nearcast-cli.ts';

t.setTimeout(180_000);

const anna = 'usr_anna-0001';
const place = ['--currency', 'EUR', '--country', 'DE', '--time-zone', 'Europe/Berlin'];

t.test('billing from the command line', async (t) => {
  const plane = await startPlane(t);
  const nearcast = nearcastCli(plane);
  const taxes = join(await temporaryDir(t), 'taxes.json');
  const vat = [{ name: 'VAT', ratePpm: 190_000 }];
  await writeFile(taxes, JSON.stringify({ rows: [{ country: 'DE', validFromMs: 0, taxes: vat }] }));

  t.match(await nearcast('tax', 'set', taxes), { code: 0, stdout: /DE .*VAT 19 %/ });
  const prices = ['--price', '9.99EUR/month', '900 JPY/3month'];
  const plan = await nearcast('plan', 'set', 'basic', '--name', 'Basic', ...prices, '--height', '720');
  t.match(plan, { code: 0, stdout: /basic +Basic +9\.99 EUR\/month, 900 JPY\/3month +720p/ });
  t.match(await nearcast('coupon', 'set', 'half', '--percent', '50', '--invoices', '1'), {
    stdout: /half +50 % +1/,
  });

  const add = [
    '--json',
    'subscription',
    'add',
    anna,
    'basic',
    ...place,
    '--coupon',
    'half',
    '--idempotency-key',
    'k1',
  ];
  const added = await nearcast(...add);
  t.match(added, { code: 0 });
  t.equal((await nearcast(...add)).stdout, added.stdout, 'once for its key');
  const [{ id, unpaid: [invoice = ''] }] = JSON.parse(added.stdout) as [{ id: string; unpaid: string[] }]; // prettier-ignore
  t.match(await nearcast('invoice', 'show', invoice), {
    stdout: /coupon half +-5\.00 EUR[^]*VAT 19 % +0\.80 EUR[^]*gross +4\.99 EUR/,
  });
  t.match(await nearcast('payment', 'add', invoice, '4.99EUR', '--reference', 'bank'), { code: 0 });
  const listed = await nearcast('invoice', 'list', '--csv');
  t.match(
    listed.stdout,
    /^number,id,account,issued,currency,net,taxes,gross,credited,open,status\r\n1,.*,4\.19,0\.80,4\.99,0\.00,0\.00,paid\r\n$/,
  );
  t.match(await nearcast('subscription', 'cancel', id), { stdout: /active .* ends / });
  t.match(await nearcast('invoice', 'credit', invoice, '--reason', 'Sorry', '--amount', '2'), {
    stdout: /Credit note 1 over 2\.00 EUR/,
  });
  t.match(await nearcast('payment', 'refund', anna, '2EUR', '--reference', 'bank'), {
    stdout: /refund .*-2\.00/,
  });
  t.match(await nearcast('ledger', 'balances'), {
    stdout: /cash:manual +EUR +2\.99[^]*revenue:basic +EUR +-2\.51/,
  });
  t.match(
    (await nearcast('ledger', 'transactions', '--csv')).stdout,
    /1,[^,]*,invoice:inv_[^,]*,invoice 1,receivable:usr_anna-0001,EUR,4\.99\r\n/,
  );
  t.match(await nearcast('billing', 'verify'), { code: 0, stdout: /^4 transactions of 10 entries/ });
});

t.test('what the routes of billing refuse', async (t) => {
  const plane = await startPlane(t);
  const { accessToken } = await makeCallers(plane);
  const month = { unit: 'month', count: 1 };
  const planBody = (price: object) => ({
    ...{ name: 'Basic', trialDays: 0, archived: false },
    entitlements: { heightMax: 1080, streamsMax: 2, downloads: false },
    prices: [{ currency: 'EUR', amount: 999, interval: month, taxInclusive: true, ...price }],
  });
  const bad = [
    ...[{ amount: -1 }, { amount: 0.5 }, { amount: '999' }, { amount: 1e15 }, { amount: null }],
    ...[
      { currency: 'eur' },
      { currency: 'EURO' },
      { interval: { unit: 'day', count: 1 } },
      { colour: 'red' },
    ],
  ];
  for (const price of bad)
    t.match(await plane.call('PUT /v1/plans/basic', { body: planBody(price) }), {
      status: 400,
      json: { code: 'INVALID' },
    });
  t.match(await plane.call('PUT /v1/plans/basic', { body: planBody({ currency: 'XAU' }) }), {
    json: { code: 'CURRENCY_UNKNOWN' },
  });
  t.match(await plane.call('PUT /v1/plans/basic', { body: planBody({}) }), { status: 200 });

  const body = { account: anna, plan: 'basic', currency: 'EUR', country: 'DE', timeZone: 'Europe/Berlin' };
  const subscribe = (more: object, headers?: Record<string, string>) =>
    plane.call('POST /v1/subscriptions', { body: { ...body, ...more }, ...(headers && { headers }) });
  t.match(await subscribe({}), { status: 400, json: { code: 'INVALID' } }, 'without a key');
  const key = { 'idempotency-key': 'k1' };
  t.match(await subscribe({ timeZone: 'Mars/Olympus' }, key), { status: 400, json: { code: 'INVALID' } });
  const first = await subscribe({}, key);
  t.equal(first.status, 200, first.text);
  t.equal((await subscribe({}, key)).text, first.text);
  t.match(await subscribe({ plan: 'other' }, key), { status: 409, json: { code: 'IDEMPOTENCY_KEY_REUSED' } });
  t.match(await subscribe({}, { 'idempotency-key': 'k2' }), {
    status: 409,
    json: { code: 'SUBSCRIPTION_EXISTS' },
  });
  t.match(await plane.call('GET /v1/invoices/inv_nothing-here'), {
    status: 404,
    json: { code: 'INVOICE_UNKNOWN' },
  });
  t.match(await plane.call('GET /v1/subscriptions/sub_nothing-here'), { status: 404 });

  const token = await accessToken({ sub: anna, role: 'viewer' });
  const { json } = await plane.call('GET /v1/entitlements', { token });
  t.match(json, { account: anna, entitlements: { heightMax: 1080, streamsMax: 2 } });
  t.match(await plane.call('GET /v1/entitlements?account=usr_berta-01', { token }), { status: 403 });
  t.strictSame((await plane.call('GET /v1/entitlements?account=usr_berta-01')).json, {
    account: 'usr_berta-01',
  });
  t.match(await plane.call('GET /v1/plans', { token }), { status: 200, json: { plans: [{ id: 'basic' }] } });
  t.match(await plane.call('GET /v1/subscriptions?limit=1'), {
    json: { subscriptions: [{ account: anna }] },
  });
});
