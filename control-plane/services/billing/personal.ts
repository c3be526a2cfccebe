import type { PersonalData } from '../personal-data.ts';
import type { Batch } from './batch.ts';
import type { Ask } from './desk.ts';
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
  /** Does once for its key what moves money. */
  once: (ask: Ask & { subscription: string }, decide: (batch: Batch) => Promise<object>) => Promise<object>;
}

/**
 * What billing knows of an account, for the person whose it is. Its erasure ends the subscription and forgets how the person pays, also at the
 * provider; invoices and postings stay under the account's id, as bookkeeping has to keep them.
 */
export function personalBilling(billing: PersonalOptions, purge: () => Promise<void>): PersonalData {
  const { subscriptions, invoices, payers, usage, once } = billing;
  return {
    name: 'billing',
    async export(account) {
      const held = await subscriptions.list({ account, limit: pageLength });
      if (held.length === 0) return undefined;
      const { hasMethod, provider } = await payers.view(account);
      const bills = await invoices.list({ account, after: 0, limit: pageLength });
      const { sums } = await usage.sums({ account, limit: pageLength });
      return { subscriptions: held, invoices: bills, usage: sums, payment: { hasMethod, provider } };
    },
    async erase(account) {
      const current = await subscriptions.current(account);
      if (current !== undefined) {
        const ask = { caller: 'erasure', key: current.id, request: 'cancel', subscription: current.id };
        await once(ask, (batch) => subscriptions.cancel(batch, current.id, 'now'));
      }
      await payers.erase(account);
    },
    purge,
  };
}
