import type { Clock } from '../../../common/runtime/clock.ts';
import { assert } from '../../../common/runtime/errors.ts';
import type { Log } from '../../../common/runtime/log.ts';
import type { Desk } from './desk.ts';
import type { BillingRecords } from './records.ts';
import type { Subscriptions } from './subscriptions.ts';

/** Subscriptions that are booked in one commit. */
const batchLength = 200;
/** No subscription has more steps behind it: so many weeks are twenty years. */
const stepsMax = 1000;

/** What time changes of subscriptions. */
export interface Due {
  /** Books what time has changed until now: trials and periods that end, payments that are late. */
  readonly bookDue: () => Promise<void>;
  /** Brings one subscription to the present. */
  readonly catchUp: (id: string) => Promise<void>;
}

/** Opens it. */
export function openDue(options: {
  records: BillingRecords;
  desk: Desk;
  subscriptions: Subscriptions;
  clock: Clock;
  log: Log;
}): Due {
  const { records, desk, subscriptions, clock, log } = options;
  /** What is due and has not failed before. */
  const dueNow = async (failed: ReadonlySet<string>): Promise<string[]> => {
    const page = await records.due.scan({ limit: batchLength + failed.size });
    const isDue = page.filter(({ key }) => Number(key.slice(0, 16)) <= clock.nowMs());
    return isDue.map(({ value }) => value.id).filter((id) => !failed.has(id));
  };
  const advanceAll = (ids: readonly string[]): Promise<void> =>
    desk.book(async (batch) => {
      for (const id of ids) await subscriptions.advance(batch, id);
    });
  const bookDue = async (): Promise<void> => {
    const failed = new Set<string>();
    for (let ids = await dueNow(failed); ids.length > 0; ids = await dueNow(failed)) {
      const isBooked = await advanceAll(ids).then(
        () => true,
        () => false,
      );
      // One that cannot be booked must not hold the others.
      for (const id of isBooked ? [] : ids)
        await advanceAll([id]).catch((error: unknown) => {
          log.error({ err: error, subscription: id }, 'what is due of a subscription could not be booked');
          failed.add(id);
        });
    }
  };
  const catchUp = async (id: string): Promise<void> => {
    for (let step = 0; step < stepsMax; step++)
      if (!(await desk.book((batch) => subscriptions.advance(batch, id)))) return;
    assert(false, `subscription ${id} does not come to the present`);
  };
  return { bookDue, catchUp };
}
