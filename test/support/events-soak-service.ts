import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { openBlobs } from '../../common/adapters/blobs/open.ts';
import { openEventLog } from '../../common/adapters/events/log.ts';
import { openSqliteRecords } from '../../common/adapters/records/sqlite.ts';
import { createSystemClock } from '../../common/runtime/clock.ts';
import { createSilentLog } from '../../common/runtime/log.ts';
import { eventsDefaults } from '../../control-plane/services/events/ports.ts';
import { openWholeEvents, type WholeEvents } from './whole-events.ts';

/** The events service over the log and the records of a folder, with boxes of every name and room for floods. */
export async function openSoakService(
  directory: string,
): Promise<{ whole: WholeEvents; close: () => Promise<void> }> {
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
  return {
    whole,
    close: async () => {
      await whole.stop();
      await events.close();
      await records.close();
    },
  };
}
