/** An event to append. `id` is its maker's, for consumers that must know a repetition; `data` is a JSON document. */
export interface NewEvent {
  id?: string | undefined;
  type: string;
  timeMs: number;
  data: object;
}

/** An event of the log; `data` is `unknown` until its consumer has parsed it. Offsets begin at 1 and grow by 1. */
export interface StoredEvent {
  offset: number;
  id?: string;
  type: string;
  timeMs: number;
  data: unknown;
}

export interface EventReadOptions {
  /** At most so many, 1000 when absent, which is also the most; fewer where they are large. */
  limit?: number | undefined;
}

/** One step through the log. */
export interface EventPage {
  events: readonly StoredEvent[];
  /** What to read after next, and to commit once these are handled. The same as was asked: nothing is there yet. */
  next: number;
  /** How many events between `after` and `next` are gone: dropped by retention, or damaged. */
  missed: number;
}

export interface EventConsumer {
  name: string;
  /** The last event that it has handled. */
  offset: number;
}

export interface EventsStatus {
  /** Which log it is: 32 hex digits that no other log has, so offsets go with it. It outlives restarts. */
  id: string;
  /** The offset of the oldest event that is kept; lastOffset + 1 when there is none. */
  firstOffset: number;
  /** 0 when nothing was ever appended. */
  lastOffset: number;
  sizeBytes: number;
  consumers: readonly EventConsumer[];
}

/** What a log has to say that is nobody's call's result. */
export type EventsReport =
  /** The log ended in something half written, which was cut off: its process died before it could acknowledge it. */
  | { kind: 'torn-tail'; path: string; cutBytes: number }
  /** The log grew to its limit and events were dropped that this consumer has not handled. */
  | { kind: 'dropped-unread'; consumer: string; firstOffset: number; lastOffset: number }
  /** A record in the middle of a file does not match its checksum; the rest of the file is passed over. */
  | { kind: 'damaged'; path: string; position: number };

/**
 * An append-only log with consumers, owned by one process. A batch is in the log whole or not at all, and on the disk when
 * `append` resolves. Delivery is at least once: a consumer that dies after handling and before `commit` meets events again.
 * Bounds: 1–1000 events a batch, 64 KiB of JSON an event, 64 consumers named `[a-z][a-z0-9-]{0,62}`.
 * Errors: DISK_FULL (nothing of the batch is there), VALUE_TOO_LARGE, KEY_INVALID, OVERLOADED when too much waits to be
 * written, STORE_DENIED, STORE_UNAVAILABLE.
 */
export interface Events {
  /** Gives the offset of each event. */
  append(batch: readonly NewEvent[]): Promise<readonly number[]>;
  /** The events that follow an offset (0: from the beginning), oldest first. */
  read(after: number, options?: EventReadOptions): Promise<EventPage>;
  /** Resolves as soon as there is an event after the offset; rejects with ABORTED or TIMEOUT by the signal. */
  wait(after: number, signal: AbortSignal): Promise<void>;
  /** What a consumer has handled; undefined for one that has never committed. */
  committed(consumer: string): Promise<number | undefined>;
  /** Remembers that a consumer has handled everything up to an offset; makes the consumer known, so that retention waits for it. */
  commit(consumer: string, offset: number): Promise<void>;
  /** Forgets a consumer, so that retention no longer waits for it. */
  forget(consumer: string): Promise<void>;
  status(): Promise<EventsStatus>;
  /** Waits for what is being written. */
  close(): Promise<void>;
}

/** How large a log may become and who hears what it reports. */
export interface EventsOptions {
  /** Above this the oldest events are dropped once every consumer has handled them; 256 MiB when absent. */
  retainBytes?: number | undefined;
  /** Above this they are dropped in any case, and each consumer that loses some is reported; 1 GiB when absent. */
  limitBytes?: number | undefined;
  /** The size of one file, which is the step in which events are dropped; 8 MiB when absent. */
  segmentBytes?: number | undefined;
  report?: ((report: EventsReport) => void) | undefined;
}
