import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { openBlobs } from '../../common/adapters/blobs/open.ts';
import { openEventLog } from '../../common/adapters/events/log.ts';
import { openSqliteRecords } from '../../common/adapters/records/sqlite.ts';
import { createSystemClock, type Clock } from '../../common/runtime/clock.ts';
import { createSilentLog } from '../../common/runtime/log.ts';
import type { Billing } from '../../control-plane/services/billing/service.ts';
import { eventsDefaults } from '../../control-plane/services/events/ports.ts';
import { openSoakBilling } from './events-soak-billing.ts';
import { openWholeEvents, type WholeEvents } from './whole-events.ts';

/** The events service and billing over the log, the records and the books of a folder, with boxes of every name and room for floods. */
export async function openSoakService(
  directory: string,
  billingClock: Clock = createSystemClock(),
): Promise<{ whole: WholeEvents; billing: Billing; close: () => Promise<void> }> {
  const events = await openEventLog(join(directory, 'events'));
  const records = await openSqliteRecords(join(directory, 'events.db'));
  const whole = await openWholeEvents({
    reported: () => undefined,
    readTickets: async () => [],
    blobs: await openBlobs(pathToFileURL(join(directory, 'blobs')).href),
    ...{ events, records, clock: createSystemClock(), log: createSilentLog() },
    nodes: { findNode: () => undefined, siteOf: () => undefined, isNode: () => true },
    options: {
      ...eventsDefaults,
      ...{ clientEventsBurst: 1e9, clientEventsPerSecond: 1e9 },
      ...{ networkEventsBurst: 1e9, networkEventsPerSecond: 1e9 },
    },
  });
  const { billing, close } = await openSoakBilling(directory, { events, clock: billingClock });
  return {
    ...{ whole, billing },
    close: async () => {
      await whole.stop();
      await close();
      await events.close();
      await records.close();
    },
  };
}
