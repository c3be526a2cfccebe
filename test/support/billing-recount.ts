import { takenByBank } from './billing-bank.ts';

// What somebody is billed, counted again from docs/billing.md alone, with none of the code that bills: its own calendar, proration, taxes and
// meters. Plans and places are those of test/control-plane/support/billing-lab.ts.

type Plan = string;
type Unit = 'month' | 'year';

/** What was done about an account, or came of it, in its order. */
export type Act = { readonly atMs: number } & (
  | { readonly kind: 'begin'; readonly plan: Plan; readonly unit: Unit; readonly hasCoupon: boolean }
  | { readonly kind: 'change'; readonly plan: Plan; readonly unit: Unit; readonly isAtEnd: boolean }
  | { readonly kind: 'cancel'; readonly isAtEnd: boolean }
  | { readonly kind: 'pause' | 'resume' }
  /** It ended, as its invoices were not paid. */
  | { readonly kind: 'dunned' }
  | { readonly kind: 'used'; readonly usedAtMs: number; readonly quantity: number }
);

/** An invoice over a period or over usage, or a credit note. */
export interface Bill {
  readonly kind: 'period' | 'usage' | 'credit';
  readonly atMs: number;
  readonly gross: number;
  readonly startMs?: number;
  readonly endMs?: number;
}

export interface Place {
  readonly currency: 'EUR' | 'USD' | 'JPY' | 'KWD';
  readonly timeZone: string;
}

/** Millionths off the first three invoices of who has the coupon. */
const couponPpm = 333_333;
const couponInvoices = 3;
/** A year costs ten months. */
const monthsOfYear = 10;
const carriedMost = 24;
const cents: Readonly<Record<Plan, number>> = { basic: 999, premium: 1999, family: 1337 };
const trialDays: Readonly<Record<Plan, number>> = { basic: 14, family: 3 };
/** Free minutes of a period, up to how many more the first price holds, and what eight minutes cost before and after. */
const meters: Readonly<Record<Plan, { free: number; upTo: number; eight: [number, number] }>> = {
  basic: { free: 100, upTo: 400, eight: [6, 4] },
  premium: { free: 300, upTo: 0, eight: [8, 8] },
};

/** All that is billed until a moment for what was done. */
export function recount(place: Place, acts: readonly Act[], untilMs: number): Bill[] {
  const life = new Life(place);
  for (const act of acts) life.take(act);
  life.liveUntil(untilMs);
  return life.bills;
}

interface Terms {
  readonly plan: Plan;
  readonly unit: Unit;
}

class Life {
  readonly bills: Bill[] = [];
  readonly #place: Place;
  #state: 'none' | 'trial' | 'runs' | 'paused' = 'none';
  #terms: Terms = { plan: '', unit: 'month' };
  #next: Terms | 'end' | undefined;
  #hadTrial = false;
  #couponsLeft = 0;
  #anchorMs = 0;
  #index = 0;
  #startMs = 0;
  #endMs = 0;
  /** Of what is billed last: a part of the period from `fromMs` on. */
  #billed = { fromMs: 0, base: 0, tax: 0 };
  #meteredSinceMs = Infinity;
  #minutes = 0;
  #carried: { startMs: number; amount: number }[] = [];

  constructor(place: Place) {
    this.#place = place;
  }

  take(act: Act): void {
    this.liveUntil(act.atMs);
    switch (act.kind) {
      case 'begin':
        this.#begin(act);
        return;
      case 'change':
        this.#change(act, act);
        return;
      case 'cancel':
        if (act.isAtEnd && this.#state !== 'paused') this.#next = 'end';
        else this.#end(act.atMs, { isCredited: true });
        return;
      case 'pause':
        this.#credit(act.atMs);
        this.#charge(act.atMs, act.atMs, false);
        [this.#state, this.#next, this.#meteredSinceMs] = ['paused', undefined, Infinity];
        return;
      case 'resume':
        this.#next = undefined;
        if (this.#state !== 'paused') return;
        this.#state = 'runs';
        this.#startAnew(act.atMs);
        return;
      case 'dunned':
        // Nobody is billed or credited any more.
        [this.#state, this.#minutes, this.#carried] = ['none', 0, []];
        return;
      case 'used':
        if (this.#state === 'runs' && act.usedAtMs >= this.#meteredSinceMs) this.#minutes += act.quantity;
    }
  }

  /** Ends trials and periods that have ended. */
  liveUntil(atMs: number): void {
    while ((this.#state === 'trial' || this.#state === 'runs') && this.#endMs <= atMs) {
      const endMs = this.#endMs;
      const [next, unit] = [this.#next, this.#terms.unit];
      this.#next = undefined;
      if (next === 'end') {
        this.#end(endMs, { isCredited: false });
        continue;
      }
      const terms = next ?? this.#terms;
      if (this.#state === 'runs') this.#charge(endMs, endMs, !(terms.plan in meters));
      this.#terms = terms;
      if (this.#state === 'trial' || unit !== terms.unit) this.#startAnew(endMs);
      else this.#startPeriod(this.#index + 1);
      this.#state = 'runs';
    }
  }

  #begin({ atMs, plan, unit, hasCoupon }: Act & { kind: 'begin' }): void {
    const days = this.#hadTrial ? 0 : (trialDays[plan] ?? 0);
    this.#terms = { plan, unit };
    this.#couponsLeft = hasCoupon ? couponInvoices : 0;
    [this.#next, this.#meteredSinceMs, this.#minutes, this.#carried] = [undefined, Infinity, 0, []];
    if (days === 0) {
      this.#state = 'runs';
      this.#startAnew(atMs);
      return;
    }
    [this.#state, this.#hadTrial] = ['trial', true];
    this.#endMs = this.#wall(atMs).add({ days }).epochMilliseconds;
  }

  #change(
    { plan, unit }: Terms,
    { atMs, isAtEnd }: { readonly atMs: number; readonly isAtEnd: boolean },
  ): void {
    if (isAtEnd) {
      this.#next = { plan, unit };
      return;
    }
    const before = this.#terms;
    this.#next = undefined;
    if (this.#state !== 'trial') {
      this.#credit(atMs);
      this.#charge(atMs, atMs, !(plan in meters));
    }
    this.#terms = { plan, unit };
    if (this.#state === 'trial') return;
    if (unit !== before.unit) this.#startAnew(atMs);
    else {
      this.#meter(atMs);
      this.#bill(atMs, this.#price() - this.#untilOf(this.#price(), atMs));
    }
  }

  #end(atMs: number, { isCredited }: { isCredited: boolean }): void {
    if (this.#state === 'runs') {
      if (isCredited) this.#credit(atMs);
      this.#charge(atMs, atMs, true);
    }
    [this.#state, this.#minutes, this.#carried] = ['none', 0, []];
  }

  #startAnew(atMs: number): void {
    this.#anchorMs = atMs;
    this.#startPeriod(0);
  }

  #startPeriod(index: number): void {
    const startOf = (periods: number) =>
      this.#wall(this.#anchorMs).add(this.#terms.unit === 'year' ? { years: periods } : { months: periods })
        .epochMilliseconds;
    [this.#index, this.#startMs, this.#endMs] = [index, startOf(index), startOf(index + 1)];
    this.#meter(this.#startMs);
    this.#bill(this.#startMs, this.#price());
  }

  /** From when there is a meter; what had one before goes on. */
  #meter(atMs: number): void {
    this.#meteredSinceMs = this.#terms.plan in meters ? Math.min(this.#meteredSinceMs, atMs) : Infinity;
  }

  /** Over the rest of the period. */
  #bill(atMs: number, amount: number): void {
    const off = this.#couponsLeft > 0 ? half(amount * couponPpm, 1_000_000) : 0;
    if (off > 0) this.#couponsLeft--;
    const base = amount - off;
    const tax = this.#taxes(base).reduce((sum, one) => sum + one, 0);
    this.#billed = { fromMs: atMs, base, tax };
    this.bills.push({ kind: 'period', atMs, gross: base + tax, startMs: atMs, endMs: this.#endMs });
  }

  /** What of the last bill is not used, and as much of its taxes. */
  #credit(atMs: number): void {
    const { fromMs, base, tax } = this.#billed;
    if (this.#state !== 'runs') return;
    const unused = base - part(base, atMs - fromMs, this.#endMs - fromMs);
    if (unused === 0) return;
    const gross = unused + part(tax, unused, base);
    this.bills.push({ kind: 'credit', atMs, gross });
  }

  /** What was used since the last bill, with what was too little by itself before. */
  #charge(atMs: number, endMs: number, isLast: boolean): void {
    const meter = meters[this.#terms.plan];
    const minutes = this.#minutes;
    this.#minutes = 0;
    if (meter === undefined) return;
    const { fromMs } = this.#billed;
    const partOf = (whole: number) => this.#untilOf(whole, endMs) - this.#untilOf(whole, fromMs);
    const beyond = Math.max(0, minutes - partOf(meter.free));
    const first = Math.min(beyond, partOf(meter.upTo));
    const amount = half(first * meter.eight[0] + (beyond - first) * meter.eight[1], 8);
    const lines = amount > 0 ? [...this.#carried, { startMs: fromMs, amount }] : this.#carried;
    const sum = lines.reduce((all, line) => all + line.amount, 0);
    if (sum === 0) return;
    const isEnough = takenByBank(sum, this.#place.currency) > 0;
    const isFull = this.#carried.length === carriedMost;
    this.#carried = isEnough || isLast || isFull ? [] : lines;
    if (!isEnough) return;
    const gross = sum + this.#taxes(sum).reduce((all, one) => all + one, 0);
    const startMs = Math.min(fromMs, ...lines.map((line) => line.startMs));
    this.bills.push({ kind: 'usage', atMs, gross, startMs, endMs });
  }

  #price(): number {
    const { plan, unit } = this.#terms;
    const times = unit === 'year' ? monthsOfYear : { EUR: 1, USD: 1, JPY: 2, KWD: 3 }[this.#place.currency];
    return (cents[plan] ?? 0) * times;
  }

  /** Prices of dollars and dinars are without taxes; of the places with such prices Quebec alone has any. */
  #taxes(amount: number): number[] {
    return this.#place.currency === 'USD' ? [50_000, 99_750].map((ppm) => half(amount * ppm, 1_000_000)) : [];
  }

  /** What of a whole falls on the period until a moment. */
  #untilOf(whole: number, atMs: number): number {
    return part(whole, atMs - this.#startMs, this.#endMs - this.#startMs);
  }

  #wall(atMs: number): Temporal.ZonedDateTime {
    return Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(this.#place.timeZone);
  }
}

/** A quotient to the nearest whole number, a half upwards. */
function half(amount: number | bigint, by: number | bigint): number {
  const [above, below] = [BigInt(amount), BigInt(by)];
  const rest = above % below;
  return Number(above / below) + (rest + rest >= below ? 1 : 0);
}

function part(whole: number, of: number, length: number): number {
  return half(BigInt(whole) * BigInt(of), length);
}
