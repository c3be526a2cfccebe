import { LRUCache } from 'lru-cache';
import type { Events, NewEvent } from '../../../common/adapters/events/port.ts';
import type { EventBatchReply, PlayerEvent } from '../../../common/contract/playback.ts';
import type { Clock } from '../../../common/runtime/clock.ts';

/** The type of players' events in the log. */
export const playerEventType = 'player';

const tailLength = 10_000;

/**
 * Takes what players report into the log. A batch that is sent again (its answer was lost) is not counted again: ids are
 * remembered, as many as the bound allows, over restarts those of the log's end.
 */
export class Intake {
  readonly #events: Events;
  readonly #clock: Clock;
  readonly #known: LRUCache<string, true>;
  /** Ids on their way to the disk. */
  readonly #pending = new Map<string, Promise<unknown>>();

  constructor({ events, clock, knownIdsMax }: { events: Events; clock: Clock; knownIdsMax: number }) {
    this.#events = events;
    this.#clock = clock;
    this.#known = new LRUCache({ max: knownIdsMax });
  }

  /** Remembers the ids at the end of the log. */
  async open(): Promise<void> {
    const { firstOffset, lastOffset } = await this.#events.status();
    let after = Math.max(firstOffset - 1, lastOffset - tailLength);
    while (after < lastOffset) {
      const { events, next } = await this.#events.read(after);
      for (const { id, type } of events)
        if (id !== undefined && type === playerEventType) this.#known.set(id, true);
      if (next === after) return;
      after = next;
    }
  }

  /** Appends what is new of a batch; resolves when it is on the disk. `session`: 32 hex digits where the caller has one. */
  async take(batch: readonly PlayerEvent[], session: string | undefined): Promise<EventBatchReply> {
    const fresh = new Map<string, PlayerEvent>();
    const elsewhere: Promise<unknown>[] = [];
    for (const event of batch) {
      const id = `${session ?? 'viewer'}:${event.id}`;
      const pending = this.#pending.get(id);
      if (pending !== undefined) elsewhere.push(pending);
      else if (!this.#known.has(id) && !fresh.has(id)) fresh.set(id, event);
    }
    await this.#append(fresh, session);
    // A repetition is only one when the first has got through.
    await Promise.all(elsewhere);
    return { accepted: fresh.size, duplicates: batch.length - fresh.size };
  }

  async #append(fresh: ReadonlyMap<string, PlayerEvent>, session: string | undefined): Promise<void> {
    if (fresh.size === 0) return;
    const timeMs = this.#clock.nowMs();
    const appended = this.#events.append(
      [...fresh].map(([id, { id: _, ...data }]): NewEvent => ({
        id,
        type: playerEventType,
        timeMs,
        data: { ...data, ...(session !== undefined && { session }) },
      })),
    );
    for (const id of fresh.keys()) this.#pending.set(id, appended);
    try {
      await appended;
      for (const id of fresh.keys()) this.#known.set(id, true);
    } finally {
      for (const id of fresh.keys()) this.#pending.delete(id);
    }
  }
}
