import type { UsageSums } from '../../../common/contract/usage.ts';
import type { PersonalData } from '../personal-data.ts';
import type { Batch } from './batch.ts';
import type { Ask, Desk } from './desk.ts';
import type { Erased } from './erased.ts';
import type { Invoices } from './invoices.ts';
import type { Payers } from './payers.ts';
import type { Subscriptions } from './subscriptions.ts';
import type { Usage } from './usage.ts';

const pageLength = 1000;

interface PersonalOptions {
  subscriptions: Subscriptions;
  invoices: Invoices;
  payers: Payers;
  usage: Usage;
  desk: Desk;
  erased: Pick<Erased, 'add'>;
  /** Does once for its key what moves money. */
  once: (ask: Ask & { subscription: string }, decide: (batch: Batch) => Promise<object>) => Promise<object>;
}

/**
 * What billing knows of an account, for the person whose it is. Its erasure ends the subscription, forgets what was used when, and how the person
 * pays, also at the provider; invoices, postings and sums of what was charged stay under the account's id, as bookkeeping has to keep them.
 */
export function personalBilling(billing: PersonalOptions, purge: () => Promise<void>): PersonalData {
  const { subscriptions, invoices, payers, usage, desk, erased, once } = billing;
  return {
    name: 'billing',
    async export(account) {
      const held = await subscriptions.list({ account, limit: pageLength });
      const { hasMethod, provider } = await payers.view(account);
      const bills = await invoices.list({ account, after: 0, limit: pageLength });
      const sums = await allSums(usage, account);
      if (held.length === 0 && sums.length === 0) return undefined;
      return { subscriptions: held, invoices: bills, usage: sums, payment: { hasMethod, provider } };
    },
    async erase(account) {
      // First: nothing new comes behind it.
      await desk.book((batch) => erased.add(batch, account));
      const current = await subscriptions.current(account);
      if (current !== undefined) {
        const ask = { caller: 'erasure', key: current.id, request: 'cancel', subscription: current.id };
        await once(ask, (batch) => subscriptions.leave(batch, current.id));
      }
      await usage.erase(account);
      await payers.erase(account);
    },
    purge,
  };
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
