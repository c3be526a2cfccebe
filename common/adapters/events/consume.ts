import type { Events, StoredEvent } from './port.ts';

/** A consumer that is kept running. */
export interface ConsumeOptions {
  /** Its name in the log; begins at the oldest event the first time. */
  consumer: string;
  /** Handles a page of events, in order; `missed` of those before are gone. May see events again after a crash. */
  handle: (events: readonly StoredEvent[], missed: number) => Promise<void>;
  signal: AbortSignal;
  limit?: number | undefined;
}

/**
 * Feeds a consumer until the signal ends it (then it resolves): read, handle, commit, wait for more. An error of `handle` or
 * of the log is passed on; starting again repeats the page.
 */
export async function consumeEvents(events: Events, options: ConsumeOptions): Promise<void> {
  const { consumer, handle, signal, limit } = options;
  let after = await events.committed(consumer);
  if (after === undefined) {
    after = 0;
    // From now on retention waits for it.
    await events.commit(consumer, after);
  }
  while (!signal.aborted) {
    const page = await events.read(after, { limit });
    if (page.next === after) {
      await events.wait(after, signal).catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
      continue;
    }
    await handle(page.events, page.missed);
    await events.commit(consumer, page.next);
    after = page.next;
  }
}
