import { join } from 'node:path';

import type { Events } from '../../common/adapters/events/port.ts';
import { openBooks } from '../../common/adapters/records/open.ts';
import type { PlayerEvent } from '../../common/contract/playback.ts';
import { createSystemChance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { playedEvents } from '../../control-plane/services/billing/played.ts';
import { createBilling, type Billing } from '../../control-plane/services/billing/service.ts';
import { answerEventLog, askForEventLog } from '../../control-plane/services/events/event-log.ts';
import { planOf, quiet, subscriptionOf } from '../control-plane/support/billing-lab.ts';
import { onLost } from './on-lost.ts';

/** One in so many sessions is of an account that is charged for what it plays. */
const chargedEvery = 25;
/** Sessions have begun so long before the soak: longer than any of them plays. */
export const begunBeforeMs = 12 * 3_600_000;
/** So long after the soak nothing of them can come any more. */
export const overAfterMs = 26 * 3_600_000;
const metric = 'playback-seconds';

/** Whose a session is, where that is charged. */
export function chargedAccount(session: string): string | undefined {
  const at = Number.parseInt(session, 16);
  return at % chargedEvery === 0 ? `usr_soak-${String(at).padStart(5, '0')}` : undefined;
}

/** Billing over the books of a folder, by the soak's log. */
export async function openSoakBilling(
  directory: string,
  { events, clock }: { events: Events; clock: Clock },
): Promise<{ billing: Billing; close: () => Promise<void> }> {
  const books = await openBooks(`sqlite://${join(directory, 'billing.db')}`, { onLost });
  const log = askForEventLog(answerEventLog(events), playedEvents);
  const billing = createBilling({ ...quiet, books, events: log, clock, chance: createSystemChance() });
  return { billing, close: () => books.close() };
}

/** Sells a plan that charges what is played to the accounts of some sessions, which begin now. */
export async function beginCharged(billing: Billing, sessions: readonly string[]): Promise<void> {
  const plan = planOf(999);
  const meter = { metric, name: 'Hours watched', unit: 'h', per: 3600, included: 0, tiers: [{ price: '1' }] };
  const prices = plan.prices.map((price) => ({ ...price, meters: [meter] }));
  await billing.offers.putPlan('basic', { ...plan, prices });
  for (const session of sessions) {
    const account = chargedAccount(session);
    if (account === undefined) continue;
    const ask = { caller: 'soak', key: account, request: [] };
    await billing.once(ask, (batch) => billing.subscriptions.add(batch, subscriptionOf(account)));
    await billing.played.begin(session, account);
  }
}

/** What is charged, counted by the soak itself: each second of a session once. */
export class ExpectedUsage {
  readonly #seconds = new Map<string, Set<number>>();

  add(session: string, events: readonly PlayerEvent[]): void {
    const account = chargedAccount(session);
    if (account === undefined) return;
    const seconds = this.#seconds.get(account) ?? new Set();
    this.#seconds.set(account, seconds);
    for (const { timeMs, playedMs = 0 } of events)
      for (let at = Math.round((timeMs - playedMs) / 1000); at < Math.round(timeMs / 1000); at++)
        seconds.add(at);
  }

  /** What does not agree with what was counted, and what the books say against themselves. */
  async faults(billing: Billing): Promise<{ seconds: number; faults: string[] }> {
    await billing.played.catchUp();
    const used = new Map<string, number>();
    for (let after: string | undefined; ;) {
      const { sums, next } = await billing.usage.sums({ after, limit: 1000 });
      for (const { account, quantity } of sums) used.set(account, (used.get(account) ?? 0) + quantity);
      if (next === undefined) break;
      after = next;
    }
    const { faults: inBooks } = await billing.verify();
    const faults = [...this.#seconds].flatMap(([account, { size }]) => {
      const found = used.get(account) ?? 0;
      return found === size ? [] : [`${account} has played ${size} seconds, ${found} are its usage`];
    });
    const seconds = [...this.#seconds.values()].reduce((sum, { size }) => sum + size, 0);
    return { seconds, faults: [...faults, ...inBooks] };
  }
}
