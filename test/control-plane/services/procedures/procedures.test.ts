import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { email, openWorld, type World } from '../../support/procedures-world.ts';
import { auditBilling, planOf } from '../../support/billing-lab.ts';
import { startStripe, stripeEvent, type StripeServer } from '../../../support/stripe-server.ts';
import { until } from '../../support/until.ts';

t.setTimeout(300_000);

interface Scene {
  readonly dir: string;
  readonly stripe: StripeServer;
  open(): Promise<World>;
  /** Does something in a process of its own that kills itself at a moment. */
  kill(what: string, moment: string, about?: string): Promise<void>;
}

const worker = new URL('../../../support/procedures-worker.ts', import.meta.url).pathname;

/** A world that is there before something is done in it. */
async function setScene(t: Test, base: string): Promise<Scene> {
  const dir = await mkdtemp(join(base, 'world-'));
  const stripe = await startStripe();
  t.teardown(() => stripe.close());
  return {
    ...{ dir, stripe },
    open: () => openWorld({ dir, stripeUrl: stripe.url }),
    async kill(what, moment, about = '') {
      const child = spawn(process.execPath, [worker, dir, stripe.url, what, moment, about], {
        stdio: ['ignore', 'inherit', 'inherit'],
      });
      const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
      t.strictSame([code, signal], [null, 'SIGKILL'], `it was killed at ${moment}`);
    },
  };
}

/** What there is, and how often. */
async function count({ billing, users, accounts }: World, { stripe }: Scene) {
  const account = await accounts.findByEmail(email);
  const subscriptions = await billing.subscriptions.list({ limit: 100 });
  return {
    accounts: (await accounts.list({ limit: 100 })).length,
    profiles: account === undefined ? 0 : (await users.profiles(account.id)).length,
    customers: stripe.customers.size,
    subscriptions: subscriptions.map(({ state }) => state),
  };
}

/** Before the first step, and after each: done, and not written down yet. */
const moments = (procedure: string, steps: readonly string[], verb: 'do' | 'undo') => [
  `${procedure} ${steps[0] ?? ''} ${verb} before`,
  ...steps.map((step) => `${procedure} ${step} ${verb} after`),
];

t.test('a sign-up, killed at each step, is done once', async (t) => {
  const base = t.testdir();
  for (const moment of moments('sign-up', ['account', 'profile', 'customer', 'subscription'], 'do')) {
    const scene = await setScene(t, base);
    const before = await scene.open();
    await before.sell();
    await before.close();
    await scene.kill('sign-up', moment);
    const world = await scene.open();
    await world.procedures.carryOn();
    const wanted = { accounts: 1, profiles: 1, customers: 1, subscriptions: ['trial'] };
    t.strictSame(await count(world, scene), wanted, moment);
    const account = await world.accounts.findByEmail(email);
    t.match(await world.signUp(), { account: account?.id }, 'and whoever asks again hears of it');
    t.strictSame(await count(world, scene), wanted);
    await t.rejects(world.signUp({ name: 'Eve' }), { code: 'IDEMPOTENCY_KEY_REUSED' });
    await world.close();
  }
});

t.test('a sign-up that is refused leaves nothing, killed at each step of taking it back', async (t) => {
  const base = t.testdir();
  for (const moment of [
    'sign-up subscription do before',
    ...moments('sign-up', ['customer', 'profile', 'account'], 'undo'),
  ]) {
    const scene = await setScene(t, base);
    const before = await scene.open();
    await before.sell();
    await before.close();
    await scene.kill('sign-up-refused', moment);
    const undone: string[] = [];
    const world = await openWorld({
      ...{ dir: scene.dir, stripeUrl: scene.stripe.url },
      around: (now) => {
        if (now.endsWith('undo before')) undone.push(now.split(' ')[1] ?? '');
      },
    });
    await world.procedures.carryOn();
    t.strictSame(
      await count(world, scene),
      { accounts: 0, profiles: 0, customers: 0, subscriptions: [] },
      moment,
    );
    t.ok('customer profile account'.endsWith(undone.join(' ')), `in order: ${undone.join(' ')}`);
    await t.rejects(world.signUp({ coupon: 'unknown' }), { code: 'COUPON_UNKNOWN' });
    await world.close();
  }
});

/** A household that pays by card, past its trial. */
async function subscribed(t: Test, base: string, method = 'pm_card_visa') {
  const scene = await setScene(t, base);
  const world = await scene.open();
  await world.sell();
  const { account, subscription } = (await world.signUp({ plan: 'premium' })) as {
    account: string;
    subscription: string;
  };
  const metadata = { nearcast_account: account };
  const setup = { customer: 'cus_1', payment_method: method, metadata };
  const { body, signature } = stripeEvent('setup_intent.succeeded', setup, { nowMs: Date.now() });
  await world.billing.notices.take(body, signature);
  await world.billing.settleDue();
  return { scene, world, account, subscription };
}

t.test('a change of plan that is paid for: killed at each step, paid once, changed once', async (t) => {
  const base = t.testdir();
  for (const moment of moments('paid-plan-change', ['payment', 'plan'], 'do')) {
    const { scene, world: before, subscription } = await subscribed(t, base);
    await before.billing.offers.putPlan('premium', planOf(4999));
    await before.close();
    await scene.kill('plan', moment, subscription);
    const world = await scene.open();
    await world.procedures.carryOn();
    const { billing } = world;
    t.equal(scene.stripe.intents.length, 2, 'the first period, and the change');
    t.match(await billing.subscriptions.view(subscription), {
      price: { amount: 4999 },
      unpaid: { length: 0 },
    });
    t.match(await world.changePlan(subscription).catch((error: unknown) => error), { subscription });
    t.equal(scene.stripe.intents.length, 2);
    t.strictSame(await auditBilling(world), [], moment);
    await world.close();
  }
});

t.test('a change of plan that is not made is given back, killed at each step', async (t) => {
  const base = t.testdir();
  for (const moment of moments('paid-plan-change', ['payment'], 'undo')) {
    const { scene, world: before, account, subscription } = await subscribed(t, base);
    await before.billing.offers.putPlan('premium', planOf(4999));
    await before.close();
    await scene.kill('plan-refused', moment, subscription);
    const world = await scene.open();
    await world.procedures.carryOn();
    const { billing } = world;
    await t.rejects(world.changePlan(subscription), { code: 'SUBSCRIPTION_STATE' });
    await billing.settleDue();
    t.equal(scene.stripe.refunds.length, 1, 'once');
    const [charged, back] = [scene.stripe.intents[1], scene.stripe.refunds[0]];
    t.equal(back?.['amount'], charged?.['amount']);
    t.match(await billing.subscriptions.view(subscription), { state: 'canceled' });
    t.ok((await billing.invoices.creditOf(account, 'EUR')) > 1900, 'what was unused is theirs still');
    await world.close();
  }
  const { world, subscription } = await subscribed(t, base, 'pm_card_chargeDeclinedInsufficientFunds');
  await world.billing.offers.putPlan('premium', planOf(4999));
  await t.rejects(world.changePlan(subscription), { code: 'PAYMENT_FAILED' });
  t.match(await world.billing.subscriptions.view(subscription), { state: 'active', price: { amount: 1999 } });
  await world.close();
});

t.test('an account that is erased, killed at each step', async (t) => {
  const base = t.testdir();
  const steps = [
    'erase account before',
    ...['account', 'billing', 'profiles'].map((name) => `erase ${name} after`),
  ];
  for (const moment of steps) {
    const { scene, world: before, account, subscription } = await subscribed(t, base);
    t.match(await before.billing.personal.export(account), { subscriptions: [{ id: subscription }], payment: { hasMethod: true } }); // prettier-ignore
    await before.close();
    await scene.kill('erase', moment, account);
    const world = await scene.open();
    const stop = new AbortController();
    const watching = world.privacy.watch(stop.signal);
    await until(
      () => count(world, scene),
      ({ customers, accounts }) => customers === 0 && accounts === 0,
    );
    await until(
      () => world.users.profiles(account),
      (profiles) => profiles.length === 0,
    );
    stop.abort();
    await watching;
    t.match(await world.billing.subscriptions.view(subscription), { state: 'canceled' }, moment);
    t.match(await world.billing.payers.view(account), { hasMethod: false });
    t.equal((await world.billing.invoices.list({ account, after: 0, limit: 10 })).length, 1, 'invoices stay');
    await world.close();
  }
});
