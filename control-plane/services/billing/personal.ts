import type { Books } from '../../../common/adapters/records/port.ts';
import type { UsageSums } from '../../../common/contract/usage.ts';
import type { PersonalData } from '../personal-data.ts';
import { creditAccount } from './core/postings.ts';
import type { Batch } from './batch.ts';
import type { Ask, Desk } from './desk.ts';
import type { Erased } from './erased.ts';
import type { Invoices } from './invoices.ts';
import type { Payers } from './payers.ts';
import type { Payments } from './payments.ts';
import type { Played } from './played.ts';
import type { Subscriptions } from './subscriptions.ts';
import type { Usage } from './usage.ts';

const pageLength = 1000;

interface PersonalOptions {
  subscriptions: Subscriptions;
  invoices: Pick<Invoices, 'list' | 'creditNotes'>;
  payments: Pick<Payments, 'list'>;
  ledger: Pick<Books, 'balances'>;
  payers: Payers;
  usage: Usage;
  played: Pick<Played, 'of' | 'erase'>;
  desk: Desk;
  erased: Pick<Erased, 'add'>;
  /** Does once for its key what moves money. */
  once: (ask: Ask & { subscription: string }, decide: (batch: Batch) => Promise<object>) => Promise<object>;
  /** Resolves when all payments and credit notes stand in the lists of their accounts. */
  listOlder: () => Promise<void>;
}

/**
 * What billing knows of an account, for the person whose it is. Its erasure ends the subscription, forgets what was used when, and how the person
 * pays, also at the provider; invoices, postings and sums of what was charged stay under the account's id, as bookkeeping has to keep them.
 */
export function personalBilling(billing: PersonalOptions, purge: () => Promise<void>): PersonalData {
  const { subscriptions, invoices, payments, ledger, payers, usage, played, desk, erased, once, listOlder } =
    billing;
  return {
    name: 'billing',
    async export(account) {
      await listOlder();
      const held = await subscriptions.list({ account, limit: pageLength });
      const { hasMethod, provider } = await payers.view(account);
      const numbered = { first: 0, next: ({ number }: { number: number }) => number };
      const bills = await all((after) => invoices.list({ account, after, limit: pageLength }), numbered);
      const notes = await all((after) => invoices.creditNotes({ account, after, limit: pageLength }), numbered); // prettier-ignore
      const paid = await all((after) => payments.list({ account, after, limit: pageLength }), {
        first: undefined as string | undefined,
        next: ({ id }) => id,
      });
      const sums = await allSums(usage, account);
      const credit = (await ledger.balances({ account: creditAccount(account) })).map(
        ({ currency, amount }) => ({ currency, amount: 0 - amount }),
      );
      const playing = await played.of(account);
      if ([held, sums, paid, playing].every(({ length }) => length === 0) && !hasMethod) return undefined;
      return {
        ...{ subscriptions: held, invoices: bills, creditNotes: notes, payments: paid, credit, usage: sums },
        playing,
        payment: { hasMethod, provider },
      };
    },
    async erase(account) {
      // First: nothing new comes behind it.
      await desk.book((batch) => erased.add(batch, account));
      const current = await subscriptions.current(account);
      if (current !== undefined) {
        const ask = { caller: 'erasure', key: current.id, request: 'cancel', subscription: current.id };
        await once(ask, (batch) => subscriptions.leave(batch, current.id));
      }
      await played.erase(account);
      await usage.erase(account);
      await payers.erase(account);
    },
    purge,
  };
}

/** All pages of a list: each begins behind the last item of the one before. */
async function all<T, After>(
  list: (after: After) => Promise<T[]>,
  { first, next }: { first: After; next: (last: T) => After },
): Promise<T[]> {
  const found: T[] = [];
  for (let after = first; ;) {
    const page = await list(after);
    found.push(...page);
    const last = page.at(-1);
    if (last === undefined || page.length < pageLength) return found;
    after = next(last);
  }
}

async function allSums(usage: Usage, account: string): Promise<UsageSums['sums']> {
  const all: UsageSums['sums'] = [];
  for (let after: string | undefined; ;) {
    const { sums, next } = await usage.sums({ account, after, limit: pageLength });
    all.push(...sums);
    if (next === undefined) return all;
    after = next;
  }
}
