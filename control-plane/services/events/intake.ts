import type { Events, NewEvent } from '../../../common/adapters/events/port.ts';
import type { EventData } from '../../../common/contract/event-log.ts';
import type { EventBatchReply, EventRefusal, PlayerEvent } from '../../../common/contract/playback.ts';
import type { RowEvent } from '../../../common/contract/rows.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { impressionOf, tellingOf, tellingsIn, type ReadTicket } from './core/impression.ts';
import { judgeEvent, type Expected } from './core/judge-event.ts';
import { ToldLately } from './core/told-lately.ts';
import type { ReadTickets } from './ports.ts';

/** Nodes by their ids, with their sites. */
type BoxSites = ReadonlyMap<string, { readonly site: string | undefined }>;

// More would hold a start up for longer than a repetition after it is worth.
const tailLength = 10_000;

/** Who reports, as far as that is known without naming a viewer. */
export interface Reporter {
  /** Whose events are capped together: a session, or an account. */
  readonly client: string;
  /** Whose events are capped together, too: an address. */
  readonly network: string;
  readonly session?: (NonNullable<Expected['life']> & SessionOf) | undefined;
  readonly device: EventData<'player'>['device'];
  /** The site where the reporter is, where a route tells. */
  readonly site: string | undefined;
}

/** What a session's token shows of it. */
interface SessionOf {
  /** 32 hex digits. */
  readonly session: string;
  readonly bundle?: string | undefined;
}

export interface IntakeOptions {
  readonly events: Events;
  readonly clock: Clock;
  /** Those of these nodes that are enrolled; a box with its site, an origin without one. */
  readonly nodes: (ids: Iterable<string>) => Promise<BoxSites>;
  /** What rows were, by their tickets. */
  readonly readTickets: ReadTickets;
  /** Hears that the player of a session has reported, and whether that was its last. */
  readonly reported: (report: { session: string; hasEnded: boolean }) => void;
  readonly options: { readonly knownIdsMax: number };
}

/** What a batch holds. */
export type ReportedEvent = PlayerEvent | RowEvent;

/** What an event is judged by. */
interface JudgedBy {
  readonly nowMs: number;
  readonly reporter: Reporter;
  readonly readTicket: ReadTicket;
  readonly boxes: BoxSites;
}

/** An event that can be right, as the log is to hold it. */
type FreshEvent = FreshOf<'player', PlayerEvent> | FreshOf<'impression', RowEvent>;

interface FreshOf<Type extends 'player' | 'impression', Of extends ReportedEvent> {
  readonly of: Of;
  /** Its id in the log, */
  readonly id: string;
  /** and what a repetition is known by: that, or each place of a row that it tells of. */
  readonly keys: readonly string[];
  readonly type: Type;
  readonly data: EventData<Type>;
}

/**
 * Takes what players report into the log. A batch that is sent again (its answer was lost) is not counted again: ids are
 * remembered, as many as the bound allows, over restarts those of the log's end. Of a row's ticket each place is shown once and chosen once.
 */
export class Intake {
  readonly #parts: IntakeOptions;
  readonly #known: ToldLately;
  /** Ids on their way to the disk. */
  readonly #pending = new Map<string, Promise<unknown>>();

  constructor(parts: IntakeOptions) {
    this.#parts = parts;
    this.#known = new ToldLately(parts.options.knownIdsMax);
  }

  /** Remembers the ids at the end of the log. */
  async open(): Promise<void> {
    const { events } = this.#parts;
    const { firstOffset, lastOffset } = await events.status();
    let after = Math.max(firstOffset - 1, lastOffset - tailLength);
    while (after < lastOffset) {
      const page = await events.read(after);
      for (const { id, type } of page.events)
        if (id !== undefined && (type === 'player' || type === 'impression'))
          for (const key of tellingsIn(id) ?? [id]) this.#known.add(key);
      if (page.next === after) return;
      after = page.next;
    }
  }

  /** Appends what is new and can be right of a batch; resolves when it is on the disk. Errors: those of the log, and of who reads tickets. */
  async take(batch: readonly ReportedEvent[], reporter: Reporter): Promise<EventBatchReply> {
    const [readTicket, boxes] = await Promise.all([this.#ticketsOf(batch), this.#boxesOf(batch, reporter)]);
    const nowMs = this.#parts.clock.nowMs();
    const fresh: FreshEvent[] = [];
    const taken = new Set<string>();
    const elsewhere: Promise<unknown>[] = [];
    const refused: EventRefusal[] = [];
    for (const event of batch) {
      const judged = this.#judge(event, { nowMs, reporter, readTicket, boxes });
      if (typeof judged === 'string') {
        refused.push({ id: event.id, reason: judged });
        continue;
      }
      const keys = judged.keys.filter((key) => this.#isNew(key, { taken, elsewhere }));
      for (const key of keys) taken.add(key);
      if (keys.length > 0) fresh.push(partOf(judged, keys));
    }
    const last = batch.at(-1);
    if (last?.type !== 'end') this.#tellReported(reporter, { hasEnded: false });
    await this.#append(fresh);
    // Only a new one: whoever sends an old one again may be playing on.
    if (last?.type === 'end' && fresh.at(-1)?.of === last) this.#tellReported(reporter, { hasEnded: true });
    // A repetition is only one when the first has got through.
    await Promise.all(elsewhere);
    const duplicates = batch.length - fresh.length - refused.length;
    return { accepted: fresh.length, duplicates, ...(refused.length > 0 && { refused }) };
  }

  /** Whether nothing of this key is in the log, on its way there, or before it in its batch. */
  #isNew(
    key: string,
    { taken, elsewhere }: { taken: ReadonlySet<string>; elsewhere: Promise<unknown>[] },
  ): boolean {
    const pending = this.#pending.get(key);
    if (pending !== undefined) elsewhere.push(pending);
    return pending === undefined && !this.#known.has(key) && !taken.has(key);
  }

  #tellReported({ session }: Reporter, { hasEnded }: { hasEnded: boolean }): void {
    if (session !== undefined) this.#parts.reported({ session: session.session, hasEnded });
  }

  /** An event as the log is to hold it, or why it is left out. */
  #judge(
    event: ReportedEvent,
    { nowMs, reporter, readTicket, boxes }: JudgedBy,
  ): FreshEvent | EventRefusal['reason'] {
    const reason = judgeEvent(event, { nowMs, life: reporter.session });
    if (reason !== undefined) return reason;
    if ('ticket' in event) return impressionIn(event, { readTicket, device: reporter.device }) ?? 'ticket';
    const id = `${reporter.session?.session ?? 'viewer'}:${event.id}`;
    return { of: event, id, keys: [id], type: 'player', data: dataOf(event, reporter, boxes) };
  }

  /** Knows the boxes that a batch names, where only they tell where its player is. */
  async #boxesOf(batch: readonly ReportedEvent[], { site }: Reporter): Promise<BoxSites> {
    const named = batch.flatMap((event) => ('ticket' in event ? [] : (event.pathway ?? [])));
    return site !== undefined || named.length === 0 ? new Map() : this.#parts.nodes(named);
  }

  /** Knows the rows that a batch tells of; it asks nobody where it tells of none. */
  async #ticketsOf(batch: readonly ReportedEvent[]): Promise<ReadTicket> {
    const tickets = [...new Set(batch.flatMap((event) => ('ticket' in event ? event.ticket : [])))];
    if (tickets.length === 0) return () => undefined;
    const rows = await this.#parts.readTickets(tickets);
    const known = new Map(tickets.map((ticket, at) => [ticket, rows[at]]));
    return (ticket) => known.get(ticket);
  }

  async #append(fresh: readonly FreshEvent[]): Promise<void> {
    if (fresh.length === 0) return;
    const { events, clock } = this.#parts;
    const timeMs = clock.nowMs();
    const appended = events.append(fresh.map(({ id, type, data }): NewEvent => ({ id, type, timeMs, data })));
    const keys = fresh.flatMap((one) => one.keys);
    for (const key of keys) this.#pending.set(key, appended);
    try {
      await appended;
      for (const key of keys) this.#known.add(key);
    } finally {
      for (const key of keys) this.#pending.delete(key);
    }
  }
}

/** What the log is to hold of what a player told. */
function dataOf(
  { id: _, ...told }: PlayerEvent,
  { session, device, site }: Reporter,
  boxes: BoxSites,
): EventData<'player'> {
  const at = site ?? (told.pathway === undefined ? undefined : boxes.get(told.pathway)?.site);
  return {
    ...told,
    ...(session !== undefined && { session: session.session }),
    ...(session?.bundle !== undefined && { bundle: session.bundle }),
    ...(at !== undefined && { site: at }),
    ...(device !== undefined && { device }),
  };
}

/** What is told of a row; undefined where its ticket does not prove it. */
function impressionIn(
  event: RowEvent,
  by: { readTicket: ReadTicket; device: Reporter['device'] },
): FreshEvent | undefined {
  const data = impressionOf(event, by);
  if (data === undefined) return undefined;
  const id = tellingOf(event);
  return { of: event, type: 'impression', id, keys: tellingsIn(id) ?? [], data };
}

/** What is left of an event where only some of its keys are new: of a row, those places of it. */
function partOf(fresh: FreshEvent, keys: readonly string[]): FreshEvent {
  if (fresh.type === 'player' || keys.length === fresh.keys.length) return fresh;
  const { of, data } = fresh;
  const isLeft = (_: unknown, at: number): boolean => keys.includes(fresh.keys[at] ?? '');
  const id = tellingOf({ ...of, places: of.places.filter(isLeft) });
  return { ...fresh, id, keys, data: { ...data, titles: data.titles.filter(isLeft) } };
}
