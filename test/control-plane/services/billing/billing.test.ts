import t from 'tap';

import { priceOfPart } from '../../../../control-plane/services/billing/core/proration.ts';
import type { Billing } from '../../../../control-plane/services/billing/service.ts';
import {
  auditBilling,
  dayMs,
  openBillingLab,
  planOf,
  subscriptionOf,
  taxTable,
} from '../../support/billing-lab.ts';

t.setTimeout(120_000);

const startMs = Date.parse('2026-01-31T12:00:00+01:00');
const anna = 'usr_anna-0001';

let asked = 0;
const ask = (subscription?: string) => ({
  ...{ caller: 'usr_operator-1', key: `key-${asked++}`, request: [] },
  ...(subscription !== undefined && { subscription }),
});
const subscribe = (billing: Billing, request: Parameters<typeof subscriptionOf>[1], account = anna) =>
  billing.once(ask(), (batch) => billing.subscriptions.add(batch, subscriptionOf(account, request)));
const payAll = async (billing: Billing, account = anna) => {
  for (const { id, open, currency } of await billing.invoices.list({ account, after: 0, limit: 1000 })) {
    if (open === 0) continue;
    const payment = { invoice: id, amount: open, currency, reference: 'bank' };
    await billing.once(ask(), (batch) => billing.payments.pay(batch, payment));
  }
};
const invoicesOf = (billing: Billing, account = anna) =>
  billing.invoices.list({ account, after: 0, limit: 1000 });
const local = (ms: number) =>
  Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO('Europe/Berlin').toPlainDateTime().toString();

t.test('a subscription from its trial to its end', async (t) => {
  const lab = await openBillingLab(t, { startMs });
  const { billing, clock, pass } = lab;
  await billing.offers.putTaxes(taxTable);
  await billing.offers.putPlan('basic', planOf(999, { trialDays: 28 }));
  await billing.offers.putPlan(
    'premium',
    planOf(1999, { entitlements: { heightMax: 2160, streamsMax: 4, downloads: true } }),
  );

  const { id, state } = await subscribe(billing, {});
  t.equal(state, 'trial');
  t.match(await billing.entitlements.of(anna), { entitlements: { heightMax: 1080 } });
  t.strictSame(await invoicesOf(billing), []);
  await t.rejects(subscribe(billing, {}), { code: 'SUBSCRIPTION_EXISTS' });

  await pass(28 * dayMs);
  t.match(await billing.subscriptions.view(id), { state: 'active', unpaid: { length: 1 } });
  const [first] = await invoicesOf(billing);
  t.match(first, {
    number: 1,
    gross: 999,
    net: 839,
    taxes: [{ name: 'VAT', amount: 160 }],
    open: 999,
    status: 'open',
  });
  t.equal(local(first?.period.startMs ?? 0), '2026-02-28T12:00:00');
  t.equal(local(first?.period.endMs ?? 0), '2026-03-28T12:00:00');
  await payAll(billing);
  t.match(await billing.subscriptions.view(id), { unpaid: { length: 0 } });

  // Ten days and a half into the period.
  await pass(10.5 * dayMs);
  const period = first?.period ?? { startMs: 0, endMs: 0 };
  const rest = { startMs: clock.nowMs(), endMs: period.endMs };
  const change = { plan: 'premium', when: 'now' } as const;
  await billing.once(ask(id), (batch) => billing.subscriptions.changePlan(batch, id, change));
  t.match(await billing.entitlements.of(anna), { entitlements: { heightMax: 2160 } }, 'at once');
  const [, second] = await invoicesOf(billing);
  const unused = priceOfPart(999, period, rest);
  const gross = priceOfPart(1999, period, rest);
  t.match(second, { gross, creditApplied: unused, open: gross - unused, period: rest });
  t.equal(
    999 - unused + gross,
    999 + priceOfPart(1000, period, rest),
    'what both plans cost, each for its time',
  );
  await payAll(billing);

  const down = { plan: 'basic', when: 'period-end' } as const;
  await billing.once(ask(id), (batch) => billing.subscriptions.changePlan(batch, id, down));
  t.match(await billing.subscriptions.view(id), { plan: 'premium', next: { plan: 'basic' } });
  await pass(period.endMs - clock.nowMs());
  t.match(await billing.subscriptions.view(id), { plan: 'basic', state: 'active' });
  const [, , third] = await invoicesOf(billing);
  t.match(third, { gross: 999, creditApplied: 0 });
  t.equal(local(third?.period.endMs ?? 0), '2026-04-28T12:00:00', 'summer time has begun');
  await payAll(billing);

  await pass(15 * dayMs);
  await billing.once(ask(id), (batch) => billing.subscriptions.pause(batch, id));
  t.equal((await billing.entitlements.of(anna)).entitlements, undefined);
  const credit = await billing.invoices.creditOf(anna, 'EUR');
  t.ok(credit > 400 && credit < 550, `about a half is credited: ${credit}`);
  await pass(60 * dayMs);
  t.equal((await invoicesOf(billing)).length, 3, 'nothing is charged meanwhile');
  await billing.once(ask(id), (batch) => billing.subscriptions.resume(batch, id));
  const [, , , fourth] = await invoicesOf(billing);
  t.match(fourth, { gross: 999, creditApplied: credit, open: 999 - credit });
  await payAll(billing);

  await billing.once(ask(id), (batch) => billing.subscriptions.cancel(batch, id, 'period-end'));
  t.match(await billing.subscriptions.view(id), { state: 'active', next: { kind: 'cancel' } });
  await pass(31 * dayMs);
  t.match(await billing.subscriptions.view(id), { state: 'canceled' });
  t.strictSame(await billing.entitlements.of(anna), { account: anna, isRequired: true });
  for (const change of [
    () => billing.once(ask(id), (batch) => billing.subscriptions.pause(batch, id)),
    () => billing.once(ask(id), (batch) => billing.subscriptions.resume(batch, id)),
    () => billing.once(ask(id), (batch) => billing.subscriptions.cancel(batch, id, 'now')),
    () => billing.once(ask(id), (batch) => billing.subscriptions.changePlan(batch, id, down)),
  ])
    await t.rejects(change(), { code: 'SUBSCRIPTION_STATE' });
  const again = await subscribe(billing, {});
  t.equal(again.state, 'active', 'a trial comes once');
  t.strictSame(await auditBilling(lab), []);
});

t.test('a payment that is late, and one that never comes', async (t) => {
  const lab = await openBillingLab(t, { startMs });
  const { billing, pass } = lab;
  await billing.offers.putPlan('basic', planOf(999));
  const { id } = await subscribe(billing, {});
  await pass(6.9 * dayMs);
  t.match(await billing.subscriptions.view(id), { state: 'active' });
  await pass(0.2 * dayMs);
  t.match(await billing.subscriptions.view(id), { state: 'past_due' });
  t.ok((await billing.entitlements.of(anna)).entitlements, 'they go on watching for a while');
  await payAll(billing);
  t.match(await billing.subscriptions.view(id), { state: 'active' });

  await pass(24 * dayMs);
  t.match(
    await billing.subscriptions.view(id),
    { state: 'active', unpaid: { length: 1 } },
    'the next period',
  );
  await pass(19 * dayMs);
  t.match(await billing.subscriptions.view(id), { state: 'canceled', unpaid: { length: 0 } });
  t.equal((await billing.entitlements.of(anna)).entitlements, undefined);
  const [, second] = await invoicesOf(billing);
  t.match(second, { status: 'uncollectible', open: 0, paid: 0 });
  t.strictSame(await billing.ledger.balances({ account: 'write-offs' }), [
    { account: 'write-offs', currency: 'EUR', amount: 999 },
  ]);
  t.strictSame(await auditBilling(lab), []);
});

t.test('coupons are taken off as often as they say', async (t) => {
  const lab = await openBillingLab(t, { startMs });
  const { billing, pass } = lab;
  await billing.offers.putTaxes(taxTable);
  await billing.offers.putPlan('basic', planOf(1000));
  await billing.offers.putCoupon('half', {
    off: { kind: 'part', partPpm: 500_000 },
    invoices: 2,
    redemptionsMax: 1,
  });
  await billing.offers.putCoupon('free', { off: { kind: 'amount', amount: 5000, currency: 'JPY' } });
  const quebec = { currency: 'USD', country: 'CA', region: 'QC', timeZone: 'America/Toronto' };
  const { id } = await subscribe(billing, { ...quebec, coupon: 'half' });
  for (let month = 0; month < 3; month++) {
    await payAll(billing);
    await pass(31 * dayMs);
  }
  const [first, second, third] = await invoicesOf(billing);
  t.match(first, { amount: 1000, discounts: [{ coupon: 'half', amount: 500 }], net: 500, gross: 575 });
  t.match(second, { net: 500 });
  t.match(third, {
    discounts: { length: 0 },
    net: 1000,
    taxes: [{ amount: 50 }, { amount: 100 }],
    gross: 1150,
  });
  t.match(await billing.offers.coupons(), [
    { id: 'free', redemptions: 0 },
    { id: 'half', redemptions: 1 },
  ]);
  await t.rejects(subscribe(billing, { coupon: 'half' }, 'usr_berta-01'), { code: 'COUPON_NOT_REDEEMABLE' });
  await t.rejects(subscribe(billing, { coupon: 'none' }, 'usr_berta-01'), { code: 'COUPON_UNKNOWN' });
  await t.rejects(subscribe(billing, { coupon: 'free' }, 'usr_berta-01'), { code: 'CURRENCY_MISMATCH' });
  const free = await subscribe(billing, { coupon: 'free', currency: 'JPY' }, 'usr_berta-01');
  t.match(free, { state: 'active', unpaid: { length: 0 } });
  t.match(await invoicesOf(billing, 'usr_berta-01'), [
    { gross: 0, status: 'paid', discounts: [{ amount: 2000 }] },
  ]);
  await billing.once(ask(id), (batch) => billing.subscriptions.cancel(batch, id, 'now'));
  await billing.once(ask(id), (batch) => billing.subscriptions.cancel(batch, free.id, 'now'));
  const again = subscribe(billing, { coupon: 'free', currency: 'JPY' }, 'usr_berta-01');
  await t.rejects(again, { code: 'COUPON_NOT_REDEEMABLE' }, 'once by an account, however often it comes');
  t.strictSame(await auditBilling(lab), []);
});

t.test('credit notes and refunds give back no more than there is', async (t) => {
  const lab = await openBillingLab(t, { startMs });
  const { billing } = lab;
  await billing.offers.putTaxes(taxTable);
  await billing.offers.putPlan('basic', planOf(999));
  const { id, unpaid: [invoice = ''] } = await subscribe(billing, {}); // prettier-ignore
  const pay = (amount: number, currency = 'EUR') =>
    billing.once(ask(), (batch) =>
      billing.payments.pay(batch, { invoice, amount, currency, reference: 'bank' }),
    );
  const credit = (amount?: number) =>
    billing.once(ask(), (batch) =>
      billing.payments.credit(batch, invoice, { reason: 'Sorry', ...(amount !== undefined && { amount }) }),
    );
  const refund = (amount: number) =>
    billing.once(ask(), (batch) =>
      billing.payments.refund(batch, { account: anna, amount, currency: 'EUR', reference: 'bank' }),
    );
  await t.rejects(pay(1000), { code: 'AMOUNT_INVALID' });
  await t.rejects(pay(999, 'USD'), { code: 'CURRENCY_MISMATCH' });
  await pay(900);
  t.match(await credit(100), { number: 1, base: 100, gross: 100, net: 84 });
  t.match(await billing.invoices.view(invoice), { status: 'paid', open: 0, credited: 100, paid: 900 });
  t.strictSame((await billing.subscriptions.view(id)).unpaid, []);
  t.equal(await billing.invoices.creditOf(anna, 'EUR'), 1, 'what was not owed any more');
  await t.rejects(refund(2), { code: 'AMOUNT_INVALID' });
  await t.rejects(credit(900), { code: 'AMOUNT_INVALID' });
  t.match(await credit(), { base: 899, net: 755 }, 'all that is left');
  await t.rejects(credit(), { code: 'AMOUNT_INVALID' });
  await refund(900);
  t.strictSame(await billing.ledger.balances(), [
    ...['cash:manual', `credit:${anna}`, `receivable:${anna}`, 'revenue:basic', 'tax:DE:VAT'].map(
      (account) => ({
        ...{ account, currency: 'EUR', amount: 0 },
      }),
    ),
  ]);
  await billing.once(ask(id), (batch) => billing.subscriptions.cancel(batch, id, 'now'));
  t.equal(await billing.invoices.creditOf(anna, 'EUR'), 0, 'what was taken back is not taken back again');
  t.strictSame(await auditBilling(lab), []);
});

t.test('what is asked twice is done once', async (t) => {
  const lab = await openBillingLab(t, { startMs });
  const { billing } = lab;
  await billing.offers.putPlan('basic', planOf(999));
  await billing.offers.putPlan('premium', planOf(1999));
  const once = { caller: anna, key: 'k', request: ['a'] };
  const add = () => billing.once(once, (batch) => billing.subscriptions.add(batch, subscriptionOf(anna)));
  const answers = await Promise.all(Array.from({ length: 50 }, add));
  t.equal(new Set(answers.map((answer) => JSON.stringify(answer))).size, 1);
  t.equal((await invoicesOf(billing)).length, 1);
  await t.rejects(
    billing.once({ ...once, request: ['b'] }, () => Promise.resolve({})),
    { code: 'IDEMPOTENCY_KEY_REUSED' },
  );
  const other = await billing.once({ ...once, caller: 'usr_other-001' }, () =>
    Promise.resolve({ own: true }),
  );
  t.strictSame(other, { own: true }, 'keys are of their caller');
  const refused = { ...once, key: 'refused' };
  await t.rejects(billing.once(refused, (batch) => billing.subscriptions.add(batch, subscriptionOf(anna))));
  await billing.once(refused, (batch) => billing.subscriptions.add(batch, subscriptionOf('usr_berta-01')));

  // Fifty callers who change the same subscription in their own ways.
  const id = answers[0]?.id ?? '';
  const changes = Array.from({ length: 50 }, (_, index) =>
    billing.once(ask(id), (batch) => {
      const { subscriptions } = billing;
      if (index % 4 === 0) return subscriptions.pause(batch, id);
      if (index % 4 === 1) return subscriptions.resume(batch, id);
      return subscriptions.changePlan(batch, id, {
        plan: index % 4 === 2 ? 'premium' : 'basic',
        when: 'now',
      });
    }),
  );
  const outcomes = await Promise.allSettled(changes);
  const failed = outcomes.filter((outcome) => outcome.status === 'rejected');
  t.ok(
    failed.every(({ reason }) => (reason as { code?: string }).code === 'SUBSCRIPTION_STATE'),
    String(failed[0]?.reason),
  );
  t.ok(failed.length < 50);
  t.strictSame(await auditBilling(lab), []);
});

t.test('a change that was promised before another one bills nothing twice', async (t) => {
  const lab = await openBillingLab(t, { startMs });
  const { billing, clock } = lab;
  await billing.offers.putPlan('basic', planOf(999));
  await billing.offers.putPlan('premium', planOf(1999));
  const { id } = await subscribe(billing, {});
  const changeTo = (plan: string, atMs?: number) =>
    billing.once(ask(id), (batch) =>
      billing.subscriptions.changePlan(batch, id, { plan, when: 'now', ...(atMs !== undefined && { atMs }) }),
    );
  await clock.advance(2 * dayMs);
  const promisedMs = clock.nowMs();
  await clock.advance(2 * dayMs);
  await changeTo('premium');
  await clock.advance(dayMs);
  await t.rejects(changeTo('basic', promisedMs), {
    code: 'SUBSCRIPTION_STATE',
    message: /has changed since/,
  });
  t.match(await billing.subscriptions.view(id), { plan: 'premium' });
  await changeTo('basic', clock.nowMs() - 1000);
  // What each plan costs for its own time, and a second that was promised.
  const bases = (await invoicesOf(billing)).map(({ base }) => base);
  const credited = (await invoicesOf(billing)).map((invoice) => invoice.credited);
  t.equal(bases.length, 3);
  t.ok((credited[1] ?? 0) < (bases[1] ?? 0), 'the day of the other plan is paid for');
  t.strictSame(await auditBilling(lab), []);
});

t.test('who stops selling does not give everything away', async (t) => {
  const { billing } = await openBillingLab(t, { startMs });
  t.match(await billing.entitlements.of(anna), { isRequired: false });
  await billing.offers.putPlan('basic', planOf(999));
  await billing.offers.putPlan('basic', planOf(999, { archived: true }));
  t.match(await billing.entitlements.of(anna), { isRequired: true });
});

t.test('what cannot be sold', async (t) => {
  const { billing } = await openBillingLab(t, { startMs });
  await billing.offers.putPlan('basic', planOf(999));
  await billing.offers.putPlan('old', planOf(1, { archived: true }));
  t.strictSame(
    (await billing.offers.plans({ archived: false })).map(({ id }) => id),
    ['basic'],
  );
  await t.rejects(subscribe(billing, { plan: 'none' }), { code: 'PLAN_UNKNOWN' });
  await t.rejects(subscribe(billing, { plan: 'old' }), { code: 'PLAN_UNKNOWN' });
  await t.rejects(subscribe(billing, { currency: 'CHF' }), { code: 'CURRENCY_MISMATCH' });
  await t.rejects(subscribe(billing, { unit: 'week' }), { code: 'CURRENCY_MISMATCH' });
  await t.rejects(subscribe(billing, { timeZone: 'Mars/Olympus' }), { code: 'INVALID' });
  const [price] = planOf(1).prices;
  const prices = [
    {
      ...(price ?? { interval: { unit: 'week', count: 1 }, taxInclusive: true }),
      currency: 'XAU',
      amount: 1,
    },
  ] as const;
  await t.rejects(billing.offers.putPlan('bad', planOf(1, { prices: [...prices] })), {
    code: 'CURRENCY_UNKNOWN',
  });
  const twice = [...planOf(1).prices, ...planOf(2).prices];
  await t.rejects(billing.offers.putPlan('bad', planOf(1, { prices: twice })), { code: 'INVALID' });
});
