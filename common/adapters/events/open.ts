import { fileURLToPath } from 'node:url';
import { coded } from '../../runtime/errors.ts';
import type { Events, EventsOptions } from './port.ts';

/**
 * Opens an event log by URL: `file:///absolute/directory`, made when absent. Errors: CONFIG_INVALID for a URL that names no
 * engine; STORE_LOCKED when another process has it; STORE_CORRUPT; those of the port.
 */
export async function openEvents(url: string, options: EventsOptions = {}): Promise<Events> {
  const parsed = URL.parse(url);
  if (parsed?.protocol === 'file:') {
    const { openEventLog } = await import('./log.ts');
    return await openEventLog(fileURLToPath(parsed), options);
  }
  throw coded('CONFIG_INVALID', 'events are opened by file:///absolute/directory');
}
