import fc from 'fast-check';
import t from 'tap';

import { earnedBy } from '../../../../../control-plane/services/billing/core/proration.ts';
import {
  advance,
  begin,
  cancel,
  changePlan,
  nextAtMs,
  pause,
  resume,
  settle,
  type Bill,
  type Price,
  type Step,
  type Subscription,
} from '../../../../../control-plane/services/billing/core/subscription.ts';
import {
  nextAttemptMs,
  unreachedWaitMs,
} from '../../../../../control-plane/services/billing/core/dunning.ts';

const startMs = Date.UTC(2027, 0, 31, 11, 30);
const dayMs = 86_400_000;

const price = fc.record({
  currency: fc.constant('EUR'),
  amount: fc.integer({ min: 0, max: 100_000 }),
  interval: fc.record({
    unit: fc.constantFrom('week' as const, 'month' as const, 'year' as const),
    count: fc.integer({ min: 1, max: 3 }),
  }),
  taxInclusive: fc.constant(true),
});
const wish = fc.record({
  afterMs: fc.integer({ min: 0, max: 40 * dayMs }),
  kind: fc.constantFrom('plan', 'plan', 'pause', 'resume', 'resume', 'cancel', 'pay', 'wait'),
  when: fc.constantFrom('now' as const, 'now' as const, 'period-end' as const),
  price,
});
const life = fc.record({
  price,
  trialDays: fc.constantFrom(0, 0, 3, 14),
  timeZone: fc.constantFrom('Europe/Berlin', 'America/Toronto', 'Asia/Tokyo', 'Australia/Lord_Howe'),
  wishes: fc.array(wish, { maxLength: 25 }),
});

/** Books steps as billing does, with an invoice for each bill, and checks each against what must hold. */
class Bookkeeper {
  readonly invoices = new Map<string, Bill & { credited: number; isPaid: boolean }>();
  subscription: Subscription;
  /** Until when time was charged and not given back. */
  chargedUntilMs = 0;

  constructor(first: Step, nowMs: number) {
    this.subscription = first.subscription;
    this.book(first, nowMs);
  }

  book({ subscription, credit, bill, writtenOff = [] }: Step, nowMs: number): void {
    let after = subscription;
    if (credit !== undefined) {
      const invoice = this.invoices.get(credit.invoice);
      if (invoice === undefined) throw new Error('a credit of no invoice');
      const unused = invoice.amount - earnedBy(invoice.amount, invoice.period, nowMs);
      if (credit.base !== unused || invoice.credited !== 0) throw new Error('not what was unused, or twice');
      invoice.credited = credit.base;
      this.chargedUntilMs = Math.min(this.chargedUntilMs, nowMs);
      if (credit.base === invoice.amount) after = settle(after, credit.invoice);
    }
    for (const id of writtenOff)
      if (this.invoices.get(id)?.isPaid !== false) throw new Error(`${id} was paid`);
    if (bill !== undefined) {
      if (bill.period.endMs <= bill.period.startMs || bill.amount < 0) throw new Error('a bill for no time');
      // What an ended charge of nothing left, nobody is credited.
      if (bill.amount > 0 && bill.period.startMs < this.chargedUntilMs)
        throw new Error('the same time is charged twice');
      if (bill.amount > 0) this.chargedUntilMs = bill.period.endMs;
      const id = `inv-${this.invoices.size}`;
      this.invoices.set(id, { ...bill, credited: 0, isPaid: bill.amount === 0 });
      const unpaid = bill.amount === 0 ? [] : [{ invoice: id, dueAtMs: nowMs + 7 * dayMs }];
      const charge = { invoice: id, base: bill.amount, period: bill.period };
      after = { ...after, charge, unpaid: [...after.unpaid, ...unpaid] };
    }
    this.subscription = after;
  }
}

t.test(
  'whatever is wished for, no time is charged twice, and what is unused is given back to the cent',
  async () => {
    fc.assert(
      fc.property(life, ({ price: first, trialDays, timeZone, wishes }) => {
        let nowMs = startMs;
        const terms = { plan: 'a', price: first, timeZone, coupons: [] };
        const keeper = new Bookkeeper(begin(terms, { nowMs, trialDays }), nowMs);
        for (const { afterMs, kind, when, price: other } of wishes) {
          const untilMs = nowMs + afterMs;
          for (
            let at = nextAtMs(keeper.subscription);
            at !== undefined && at <= untilMs;
            at = nextAtMs(keeper.subscription)
          ) {
            const { state } = keeper.subscription;
            if (at < nowMs && !['past_due', 'paused', 'canceled'].includes(state)) return false;
            nowMs = Math.max(nowMs, at);
            keeper.book(advance(keeper.subscription), nowMs);
          }
          nowMs = untilMs;
          const { subscription } = keeper;
          const [unpaid] = subscription.unpaid;
          if (kind === 'pay' && unpaid !== undefined) {
            const invoice = keeper.invoices.get(unpaid.invoice);
            if (invoice !== undefined) invoice.isPaid = true;
            keeper.subscription = settle(subscription, unpaid.invoice);
            continue;
          }
          const result = wished(subscription, { kind, when, price: other }, nowMs);
          if (result === undefined) continue;
          if (!result.ok) {
            if (!['SUBSCRIPTION_STATE', 'CURRENCY_MISMATCH'].includes(result.code)) return false;
            continue;
          }
          if (subscription.state === 'canceled') return false;
          keeper.book(result.value, nowMs);
        }
        const { state, charge, unpaid } = keeper.subscription;
        const isOver = nextAtMs(keeper.subscription) === undefined;
        return isOver === ((state === 'canceled' || state === 'paused') && unpaid.length === 0) && (state !== 'paused' || charge === undefined); // prettier-ignore
      }),
      { numRuns: 300 },
    );
  },
);

function wished(
  subscription: Subscription,
  { kind, when, price: other }: { kind: string; when: 'now' | 'period-end'; price: Price },
  nowMs: number,
) {
  if (kind === 'plan') return changePlan(subscription, { plan: 'b', price: other, when }, nowMs);
  if (kind === 'pause') return pause(subscription, nowMs);
  if (kind === 'resume') return resume(subscription, nowMs);
  return kind === 'cancel' ? cancel(subscription, when, nowMs) : undefined;
}

t.test('attempts after one that failed', async (t) => {
  let atMs = startMs;
  const days: number[] = [];
  for (let attempt = 0; ; attempt++) {
    const next = nextAttemptMs({ attempt, isFinal: false, atMs }, 'Europe/Berlin');
    if (next === undefined) break;
    atMs = next;
    days.push(Math.round((atMs - startMs) / dayMs));
  }
  t.strictSame(days, [1, 4, 9, 16], 'all before the subscription ends on the 21st day');
  t.equal(nextAttemptMs({ attempt: 0, isFinal: true, atMs }, 'UTC'), undefined);
  t.strictSame([1, 2, 3, 20].map(unreachedWaitMs), [60_000, 120_000, 240_000, 3_600_000]);
});
