import { createHash } from 'node:crypto';
import type { DeviceKind, EventData } from '../../../../common/contract/event-log.ts';
import type { RowEvent } from '../../../../common/contract/rows.ts';
import type { TicketedRow } from '../../../core/ticketed-row.ts';

/** What a ticket proves; undefined for one that was not written here, or too long ago. */
export type ReadTicket = (ticket: string) => TicketedRow | undefined;

/**
 * What is told of each place of a row, as the log names it: the same ticket, action and place are the same telling, whatever id a client gives it.
 */
export function tellingOf({ ticket, type, places }: RowEvent): string {
  const digest = createHash('sha256').update(ticket).digest('base64url').slice(0, 22);
  return `row:${digest}:${type}:${places.join(',')}`;
}

/** The same, a place each; undefined for what names no telling. */
export function tellingsIn(telling: string): string[] | undefined {
  const [, of, places] = /^(row:[^:]+:[^:]+:)([0-9,]+)$/.exec(telling) ?? [];
  return of === undefined || places === undefined
    ? undefined
    : places.split(',').map((place) => `${of}${place}`);
}

/** What row, with what was done, and which place of it one of these is; undefined for what is none. */
export function placeOf(telling: string): { row: string; place: number } | undefined {
  const [, row, place] = /^(row:[^:]+:[^:]+):([0-9]{1,4})$/.exec(telling) ?? [];
  return row === undefined ? undefined : { row, place: Number(place) };
}

/** What the log holds of a row that was seen or chosen from; undefined where its ticket does not prove it, or has no such place. */
export function impressionOf(
  { timeMs, type, ticket, places }: RowEvent,
  { readTicket, device }: { readTicket: ReadTicket; device: DeviceKind | undefined },
): EventData<'impression'> | undefined {
  const ticketed = readTicket(ticket);
  const told = places.flatMap((place) => {
    const title = ticketed?.titles[place];
    return title === undefined ? [] : [{ place, ...title }];
  });
  if (ticketed === undefined || told.length < places.length) return undefined;
  return {
    ...{ timeMs, action: type === 'choice' ? 'chosen' : 'shown', row: ticketed.row, titles: told },
    ...(ticketed.model !== undefined && { model: ticketed.model }),
    ...(device !== undefined && { device }),
  };
}
