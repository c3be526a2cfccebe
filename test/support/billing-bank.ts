import type {
  ChargeOutcome,
  PaymentProvider,
  ProviderCharge,
  ProviderNotice,
  RefundOutcome,
} from '../../common/adapters/payments/port.ts';
import { coded } from '../../common/runtime/errors.ts';

/** A bank that keeps its own account of what it took and gave back, by our ids. */
export interface Bank {
  readonly provider: PaymentProvider;
  /** What it has of ours, by currency. */
  readonly cash: ReadonlyMap<string, number>;
  /** How often it said what, of charges and of refunds. */
  counts(): { paid: number; failed: number; pending: number; refunds: number; disputes: number };
  /** Decides some of what is pending (all where `all`), and tells of most of it, now and then twice. */
  decide(tell: (notice: ProviderNotice) => Promise<void>, options?: { all: boolean }): Promise<void>;
}

interface Charged {
  readonly asked: ProviderCharge;
  outcome: ChargeOutcome;
}

interface Refunded {
  readonly refund: string;
  readonly payment: string;
  readonly amount: number;
  readonly currency: string;
  outcome: RefundOutcome;
}

/** What the holder of a card wants back: nobody has heard of it where it has no state. */
interface Disputed {
  readonly dispute: string;
  readonly payment: string;
  readonly amount: number;
  readonly currency: string;
  state?: 'open' | 'lost' | 'won';
}

const leastTaken = 50;
const pending = { kind: 'pending' } as const;

/** Opens one: some cards fail, some answers are lost, some come days later or only when they are asked for, some are disputed. */
export function openBank(random: () => number): Bank {
  return new SimulatedBank(random);
}

class SimulatedBank implements Bank {
  readonly #random: () => number;
  readonly #charges = new Map<string, Charged>();
  readonly #refunds = new Map<string, Refunded>();
  readonly #disputes = new Map<string, Disputed>();
  #late: ProviderNotice[] = [];
  readonly cash = new Map<string, number>();
  #told = 0;
  #pending = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  readonly provider: PaymentProvider = {
    name: 'bank',
    takes: takenByBank,
    createCustomer: async (account) => `cus-${account}`,
    removeCustomer: async () => undefined,
    setupPage: async () => 'https://bank.example/',
    readNotice: (body) => JSON.parse(body.toString()) as ProviderNotice,
    charge: (charge) =>
      this.#onTheLine(() => {
        const id = idOf(charge);
        const charged: Charged = this.#charges.get(id) ?? { asked: charge, outcome: pending };
        if (!this.#charges.has(id) && !this.#isLate()) this.#decideCharge(charged);
        this.#charges.set(id, charged);
        return charged.outcome;
      }),
    findCharge: (charge) => this.#onTheLine(() => this.#charges.get(idOf(charge))?.outcome),
    refund: ({ refund, payment, amount, currency }) =>
      this.#onTheLine(() => {
        const known = this.#refunds.get(refund);
        const refunded: Refunded = known ?? { refund, payment, amount, currency, outcome: pending };
        if (known === undefined && !this.#isLate()) this.#decideRefund(refunded);
        this.#refunds.set(refund, refunded);
        return refunded.outcome;
      }),
  };

  counts(): ReturnType<Bank['counts']> {
    const charges = [...this.#charges.values()];
    const of = (kind: ChargeOutcome['kind']) => charges.filter(({ outcome }) => outcome.kind === kind).length;
    const disputes = [...this.#disputes.values()].filter(({ state }) => state !== undefined).length;
    const [refunds, pendings] = [this.#refunds.size, this.#pending];
    return { paid: of('paid'), failed: of('failed'), pending: pendings, refunds, disputes };
  }

  async decide(
    tell: (notice: ProviderNotice) => Promise<void>,
    { all }: { all: boolean } = { all: false },
  ): Promise<void> {
    const notices: ProviderNotice[] = [];
    const isTime = (outcome: { kind: string }) => outcome.kind === 'pending' && (all || this.#chance(0.4));
    for (const charged of this.#charges.values()) {
      if (!isTime(charged.outcome)) continue;
      this.#decideCharge(charged);
      const { invoice, account, attempt, customer } = charged.asked;
      const asked = { invoice, account, attempt };
      notices.push({ id: this.#newId(), customer, kind: 'charge', asked, outcome: charged.outcome });
    }
    for (const refunded of this.#refunds.values()) {
      if (!isTime(refunded.outcome)) continue;
      this.#decideRefund(refunded);
      const { refund, outcome } = refunded;
      notices.push({ id: this.#newId(), customer: '', kind: 'refund', refund, outcome });
    }
    // Of disputes everybody is told, also before the payment, and of their end before their beginning.
    const disputes = this.#decideDisputes(all);
    for (const notice of [...disputes, ...notices]) {
      // Whoever is not told asks.
      if (notice.kind !== 'dispute' && this.#chance(0.3)) continue;
      await tell(notice);
      if (this.#chance(0.1)) await tell({ ...notice, id: this.#newId() });
    }
  }

  #decideDisputes(all: boolean): ProviderNotice[] {
    const notices: ProviderNotice[] = [];
    const late = this.#late;
    this.#late = [];
    for (const disputed of this.#disputes.values()) {
      const { dispute, payment, amount, currency, state } = disputed;
      if (state === 'won' || state === 'lost' || !(all || this.#chance(0.1))) continue;
      disputed.state = state === undefined ? 'open' : this.#chance(0.5) ? 'won' : 'lost';
      if (disputed.state !== 'lost') this.#move(currency, disputed.state === 'won' ? amount : -amount);
      const told = { dispute, payment, amount, currency, state: disputed.state };
      const isLate = disputed.state === 'open' && this.#chance(0.2);
      (isLate ? this.#late : notices).push({ id: this.#newId(), customer: '', kind: 'dispute', ...told });
    }
    return [...notices, ...late];
  }

  #decideCharge(charged: Charged): void {
    const { method, amount, currency } = charged.asked;
    const isDeclined = this.#chance(method === 'bad' ? 1 : method === 'flaky' ? 0.4 : 0.02);
    charged.outcome = isDeclined
      ? { kind: 'failed', reason: 'declined', isFinal: this.#chance(0.1) }
      : { kind: 'paid', payment: idOf(charged.asked), amount, currency };
    if (isDeclined) return;
    this.#move(currency, amount);
    if (!this.#chance(0.02)) return;
    const [dispute, part] = [
      `dispute-${this.#disputes.size}`,
      this.#chance(0.2) ? Math.ceil(amount / 3) : amount,
    ];
    this.#disputes.set(dispute, { dispute, payment: idOf(charged.asked), amount: part, currency });
  }

  #decideRefund(refunded: Refunded): void {
    const isDisputed = [...this.#disputes.values()].some(
      ({ payment, state }) => payment === refunded.payment && (state === 'open' || state === 'lost'),
    );
    const isLost = isDisputed || this.#chance(0.05);
    refunded.outcome = isLost ? { kind: 'failed', reason: 'it cannot be given back' } : { kind: 'done' };
    if (!isLost) this.#move(refunded.currency, -refunded.amount);
  }

  #isLate(): boolean {
    const isLate = this.#chance(0.1);
    if (isLate) this.#pending++;
    return isLate;
  }

  /** An answer may be lost before or after what it is about. */
  async #onTheLine<T>(work: () => T): Promise<T> {
    const lost = () => coded('PROVIDER_UNREACHABLE', 'the line is cut');
    if (this.#chance(0.02)) throw lost();
    const said = work();
    if (this.#chance(0.02)) throw lost();
    return said;
  }

  #move(currency: string, amount: number): void {
    this.cash.set(currency, (this.cash.get(currency) ?? 0) + amount);
  }

  #newId(): string {
    return `told-${++this.#told}`;
  }

  #chance(part: number): boolean {
    return this.#random() < part;
  }
}

/** What of an amount the bank takes: half a euro or dollar at least, and dinars in steps of ten. */
export function takenByBank(amount: number, currency: string): number {
  const whole = currency === 'KWD' ? amount - (amount % 10) : amount;
  return whole < leastTaken ? 0 : whole;
}

function idOf({ invoice, attempt }: ProviderCharge): string {
  return `${invoice}/${attempt}`;
}
