import type { Entitlements, EntitlementsView } from '../../../common/contract/billing.ts';
import { growingCache } from '../../../common/core/growing-cache.ts';
import type { Offers } from './offers.ts';
import type { Subscriptions } from './subscriptions.ts';

/** What accounts may do now, from memory as long as nothing changes it: at once, and never what it was before a change that was booked. */
export interface EntitlementsCache {
  of(account: string): Promise<EntitlementsView>;
  /** Forgets what is known of these accounts, or of all. */
  forget(accounts?: ReadonlySet<string>): void;
}

const accountsMax = 100_000;

/**
 * Makes the cache. A trial and a payment that is late entitle as a paid period does; a pause and an end do not. As long as there never was
 * a plan nobody needs a subscription.
 */
export function cacheEntitlements(options: {
  subscriptions: () => Subscriptions;
  offers: () => Offers;
}): EntitlementsCache {
  const known = growingCache<string, EntitlementsView>(accountsMax);
  let entitlementsOf: ReadonlyMap<string, Entitlements> | undefined;
  // What was read before a change must not be kept after it.
  let changes = 0;
  const readPlans = async (): Promise<ReadonlyMap<string, Entitlements>> => {
    const before = changes;
    // The archived too: who stops selling does not give everything away.
    const plans = await options.offers().plans({ archived: true });
    const found = new Map(plans.map(({ id, entitlements }) => [id, entitlements]));
    if (before === changes) entitlementsOf = found;
    return found;
  };
  const read = async (account: string): Promise<EntitlementsView> => {
    const subscription = await options.subscriptions().current(account);
    const plans = entitlementsOf ?? (await readPlans());
    const isRequired = plans.size > 0;
    if (subscription === undefined || subscription.state === 'paused') return { account, isRequired };
    const { id, plan } = subscription;
    const entitlements = plans.get(plan);
    return { account, isRequired, subscription: id, ...(entitlements && { entitlements }) };
  };
  return {
    async of(account) {
      const cached = known.get(account);
      if (cached !== undefined) return cached;
      const before = changes;
      const view = await read(account);
      if (before === changes) known.set(account, view);
      return view;
    },
    forget(accounts) {
      changes++;
      if (accounts === undefined) {
        known.clear();
        entitlementsOf = undefined;
      } else for (const account of accounts) known.delete(account);
    },
  };
}
