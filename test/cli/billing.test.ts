import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import t from 'tap';

import { makeCallers } from '../control-plane/support/callers.ts';
import { startPlane, temporaryDir } from '../control-plane/support/control-plane.ts';
import { until } from '../control-plane/support/until.ts';
import { nearcastCli } from '../support/nearcast-cli.ts';
import { startStripe, stripeEvent, webhookSecret } from '../support/stripe-server.ts';

t.setTimeout(600_000);

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
    /^number,id,account,place,issued,currency,net,taxes,gross,credited,open,status,of\r\n1,.*,DE,.*,4\.19,0\.80,4\.99,0\.00,0\.00,paid,period\r\n$/,
  );
  t.match(await nearcast('subscription', 'cancel', id), { stdout: /active .* ends / });
  t.match(await nearcast('invoice', 'credit', invoice, '--reason', 'Sorry', '--amount', '2'), {
    stdout: /Credit note 1 over 2\.00 EUR/,
  });
  const notes = await nearcast('invoice', 'credit-notes', '--account', anna, '--csv');
  t.match(notes.stdout, /^number,id,invoice,account,place,issued,currency,net,taxes,gross,reason\r\n1,cn_\S+,inv_\S+,usr_anna-0001,DE,.*,EUR,1\.68,0\.32,2\.00,Sorry\r\n$/); // prettier-ignore
  t.match(await nearcast('invoice', 'credit-notes', '--account', 'usr_nobody-01'), { stdout: 'No credit notes.\n' }); // prettier-ignore
  const all = JSON.parse((await nearcast('--json', 'invoice', 'credit-notes')).stdout) as [{ id: string }];
  t.equal(all.length, 1);
  const note = join(await temporaryDir(t), 'note.html');
  t.match(await nearcast('invoice', 'save', all[0].id, note), { code: 0 });
  t.match(await readFile(note, 'utf8'), /Credit note 1[^]*1 of \d{4}-[^]*Basic: Sorry[^]*VAT 19 %<\/th><td>0\.32 EUR[^]*2\.00 EUR/); // prettier-ignore
  t.match(await nearcast('invoice', 'save', all[0].id, note.replace('html', 'pdf')), { code: 0 });
  t.match(await readFile(note.replace('html', 'pdf'), 'latin1'), /^%PDF/);
  t.match(await nearcast('invoice', 'save', 'cn_nothing-here', note), { code: 1, stderr: /NOT_FOUND/ });
  t.match(await nearcast('payment', 'refund', anna, '2EUR', '--reference', 'bank'), {
    stdout: /refund .*-2\.00/,
  });
  const paid = (await nearcast('payment', 'list', '--account', anna, '--csv')).stdout.split('\r\n');
  t.equal(paid.filter((row) => row.includes(',refund,')).join(), paid.filter((row) => /^\S+,refund,.*,usr_anna-0001,,hand,EUR,-2\.00,done,bank$/.test(row)).join(), 'what is not there is empty'); // prettier-ignore
  t.equal(paid.length, 4);
  t.match(await nearcast('payment', 'list', '--account', 'usr_nobody-01'), { stdout: 'No payments.\n' });
  t.match(await nearcast('ledger', 'balances'), {
    stdout: /cash:manual +EUR +2\.99[^]*revenue:basic +EUR +-2\.51/,
  });
  t.match(
    (await nearcast('ledger', 'transactions', '--csv')).stdout,
    /1,[^,]*,invoice:inv_[^,]*,invoice 1,receivable:usr_anna-0001,EUR,4\.99\r\n/,
  );
  t.match(await nearcast('billing', 'verify'), { code: 0, stdout: /^4 transactions of 10 entries/ });

  t.match(await nearcast('billing', 'report', '--months', '2'), {
    stdout: /before +began +ended[^]*Revenue in EUR[^]*█+ +2\.51 EUR/,
  });
  t.match((await nearcast('billing', 'report', '--months', '1', '--csv')).stdout, /^month,before,began,ended,churn %,EUR\r\n.*,0,1,0,,2\.51\r\n$/); // prettier-ignore
  const pdf = join(await temporaryDir(t), 'invoice.pdf');
  t.match(await nearcast('invoice', 'save', invoice, pdf), { code: 0 });
  t.match(await readFile(pdf, 'latin1'), /^%PDF/);
  t.match(await nearcast('invoice', 'save', invoice, pdf.replace('pdf', 'html')), { code: 0 });
  t.match(await readFile(pdf.replace('pdf', 'html'), 'utf8'), 'VAT 19 %');
  t.match(await nearcast('billing', 'issuer', '--name', 'Kino', '--line', 'Berlin'), {
    stdout: 'Kino\nBerlin\n',
  });
  const usage = { id: 'view-0001', account: anna, metric: 'minutes', quantity: 90, atMs: Date.now() };
  t.match((await plane.call('POST /v1/usage', { body: { records: [usage] } })).json, { accepted: 1 });
  t.match(await nearcast('billing', 'usage'), { stdout: /usr_anna-0001 +\d{4}-\d\d +minutes +90/ });
  const meters = join(await temporaryDir(t), 'meters.json');
  const minutes = { metric: 'minutes', name: 'Hours watched', unit: 'h', per: 60, included: 0, tiers: [{ price: '12.5' }] }; // prettier-ignore
  await writeFile(meters, JSON.stringify({ 'EUR/year': [minutes] }));
  const metered = [
    'plan',
    'set',
    'metered',
    '--name',
    'Metered',
    '--price',
    '1EUR/month',
    '--meters',
    meters,
  ];
  t.match(await nearcast(...metered), { code: 1, stderr: /no price EUR\/year, but EUR\/month/ });
  await writeFile(meters, JSON.stringify({ 'EUR/month': [minutes] }));
  t.match(await nearcast(...metered), { code: 0, stdout: /1\.00 EUR\/month \+ minutes/ });
  const berta = 'usr_berta-0001';
  const begun = await nearcast('--json', 'subscription', 'add', berta, 'metered', ...place);
  const [{ id: used }] = JSON.parse(begun.stdout) as [{ id: string }];
  const more = { ...usage, account: berta, quantity: 180, atMs: Date.now() };
  t.match((await plane.call('POST /v1/usage', { body: { records: [more] } })).json, { accepted: 1 });
  t.match(await nearcast('subscription', 'usage', used), {
    stdout: /Hours watched +3 h, 0 h included: 0\.38 EUR/,
  });
  t.match(await nearcast('subscription', 'cancel', used, '--now'), { code: 0 });
  t.match((await nearcast('invoice', 'usage', '--csv')).stdout, /^number,account,from,until,metric,quantity,included,currency,amount\r\n3,usr_berta-0001,.*,minutes,180,0,EUR,0\.38\r\n$/); // prettier-ignore
  t.match((await nearcast('invoice', 'list', '--csv')).stdout, /0\.38,0\.00,0\.38,open,usage\r\n$/);
  t.match(await nearcast('billing', 'verify'), { code: 0 });
  t.match(await nearcast('payment', 'disputes'), { stdout: 'No payment is disputed.\n' });
  t.match(await nearcast('payment', 'due'), { stdout: 'The provider collects nothing.\n' });
  t.match(await nearcast('payment', 'method', anna), { stdout: 'Its invoices are paid by hand.\n' });
  const webhook = ['webhook', 'set', 'crm', 'http://127.0.0.1:9/hooks', '--types', 'invoice.paid'];
  t.match(await nearcast(...webhook), { stdout: /shown this once: whsec_/ });
  t.match(await nearcast('webhook', 'list'), { stdout: /crm +http:\S+ +invoice\.paid +0 +0/ });
  t.match(await nearcast('webhook', 'dead', 'crm'), { stdout: 'Everything was taken.\n' });
  t.match(await nearcast('webhook', 'remove', 'crm'), { code: 0 });
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
  const money = { currency: 'EUR', reference: 'bank' };
  const routes: [`POST /${string}`, object][] = [
    ['POST /v1/payments', { ...money, invoice: 'inv_nothing-here' }],
    ['POST /v1/payments/refund', { ...money, account: anna }],
    ['POST /v1/invoices/inv_nothing-here/credit', { reason: 'Sorry' }],
  ];
  for (const [route, about] of routes) {
    // What JSON makes of NaN and Infinity is null, and of a huge amount no whole number.
    for (const amount of [-1, 0, 0.5, null, '5', 1e15, 1e300])
      t.match(
        await plane.call(route, { body: { ...about, amount }, headers: { 'idempotency-key': 'bad' } }),
        { status: 400, json: { code: 'INVALID' } },
        `${route}: ${amount}`,
      );
    t.match(await plane.call(route, { body: { ...about, amount: 1 } }), { status: 400 }, `${route}: no key`);
  }
  const { id: subscription } = first.json as { id: string };
  for (const past of [{ atMs: 1 }, { when: 'yesterday' }])
    t.match(
      await plane.call(`POST /v1/subscriptions/${subscription}/plan`, {
        body: { plan: 'basic', when: 'now', ...past },
        headers: { 'idempotency-key': 'past' },
      }),
      { status: 400, json: { code: 'INVALID' } },
      'what was is not changed',
    );
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
    isRequired: true,
  });
  t.match(await plane.call('GET /v1/plans', { token }), { status: 200, json: { plans: [{ id: 'basic' }] } });
  t.match(await plane.call('GET /v1/subscriptions?limit=1'), {
    json: { subscriptions: [{ account: anna }] },
  });
});

t.test('households that sign up and pay by Stripe', async (t) => {
  const stripe = await startStripe();
  t.teardown(() => stripe.close());
  const dir = await temporaryDir(t);
  const [keyFile, secretFile, passwordFile] = ['key', 'secret', 'password'].map((name) => join(dir, name));
  await writeFile(keyFile ?? '', 'sk_test_double\n', { mode: 0o600 });
  await writeFile(secretFile ?? '', webhookSecret, { mode: 0o600 });
  await writeFile(passwordFile ?? '', 'seven grey elephants knit', { mode: 0o600 });
  const flags = [
    ...[
      '--payments-stripe-key-file',
      keyFile ?? '',
      '--payments-stripe-webhook-secret-file',
      secretFile ?? '',
    ],
    ...['--payments-stripe-url', stripe.url],
  ];
  const plane = await startPlane(t, { flags });
  const nearcast = nearcastCli(plane);
  await nearcast('plan', 'set', 'basic', '--name', 'Basic', '--price', '9.99EUR/month');
  await nearcast('plan', 'set', 'premium', '--name', 'Premium', '--price', '19.99EUR/month');
  const signUp = ['--json', 'subscription', 'sign-up', 'ada@example.com', 'basic', '--name', 'Ada', ...place];
  const signed = await nearcast(...signUp, '--password-file', passwordFile ?? '', '--idempotency-key', 'k1');
  t.equal(signed.code, 0, signed.stderr);
  const [{ id, account, unpaid: [invoice = ''] }] = JSON.parse(signed.stdout) as [{ id: string; account: string; unpaid: string[] }]; // prettier-ignore
  t.match(await nearcast(...signUp, '--password-file', passwordFile ?? ''), { stderr: /EMAIL_TAKEN/ });
  t.match((await nearcast('profile', 'list', 'ada@example.com')).stdout, 'Ada');
  t.match(await nearcast('payment', 'method', account, '--return-url', 'https://tv.example/'), {
    stdout: /^https:\/\/checkout\.stripe\.com\//,
  });
  const told = (object: object, more: object = {}) => {
    const { body, signature } = stripeEvent('setup_intent.succeeded', object, { nowMs: Date.now(), ...more });
    const headers = { 'stripe-signature': signature };
    return plane.call('POST /v1/provider-notices/stripe', { token: '', body, headers });
  };
  const method = {
    customer: 'cus_1',
    payment_method: 'pm_card_visa',
    metadata: { nearcast_account: account },
  };
  t.match(await told(method, { nowMs: Date.now() - 400_000 }), {
    status: 400,
    json: { code: 'WEBHOOK_STALE' },
  });
  t.match(await told(method, { secret: 'whsec_x' }), { json: { code: 'WEBHOOK_SIGNATURE_INVALID' } });
  t.match(await told({ ...method, customer: 'cus_9' }), { status: 422, json: { code: 'WEBHOOK_FOREIGN' } });
  t.match(await told(method), { status: 200 });
  await until(
    async () => (await plane.call(`GET /v1/invoices/${invoice}`)).json as { status: string },
    ({ status }) => status === 'paid',
  );
  t.match(await nearcast('payment', 'due'), { stdout: /inv_\S+ +usr_\S+ +paid/ });
  const changed = await nearcast('subscription', 'change', id, 'premium', '--paid');
  t.match(changed, { code: 0, stdout: /premium +19\.99 EUR\/month +active .* 0 / });
  t.equal(stripe.intents.length, 2);
  t.match(await nearcast('subscription', 'change', id, 'basic', '--paid', '--at-period-end'), {
    stderr: /INVALID/,
  });
  const { text } = await plane.call(`GET /v1/accounts/${account}/export`);
  t.match(text, invoice);
  t.equal((await plane.call(`DELETE /v1/accounts/${account}`)).status, 204);
  t.equal(stripe.customers.size, 0);
  t.match((await plane.call(`GET /v1/subscriptions/${id}`)).json, { state: 'canceled' });
});
