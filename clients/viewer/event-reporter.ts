import type { EventBatch, PlayerEvent } from '../../common/contract/playback.ts';
import type { ReportedEvent } from './player-events.ts';

/** Reports a playback's events to the control plane in small batches. */
export interface EventReporter {
  report(event: ReportedEvent): void;
  /** Sends what waits; resolves when it was sent or has to wait longer. */
  flush(): Promise<void>;
  /** Sends what waits and ends. */
  stop(): Promise<void>;
}

export interface EventReporterOptions {
  /** Address of `/v1/events`. */
  readonly url: string;
  /** The session's `eventsToken`. */
  readonly token: string;
  /** Hears when reports stop getting through and when they do again. */
  readonly onDelivery?: (isDelivered: boolean) => void;
  readonly flushMs?: number;
}

const queueLengthMax = 500;
// Below 64 KiB, which is all that browsers let `keepalive` requests carry (Fetch §4.6).
const batchLengthMax = 50;

/**
 * Makes the reporter of one session. What cannot be sent is tried again with the next batch; an event keeps its id, by
 * which the control plane counts it once. The queue is bounded: the oldest give way.
 */
export function createEventReporter(options: EventReporterOptions): EventReporter {
  const { url, token, onDelivery, flushMs = 5000 } = options;
  let queue: PlayerEvent[] = [];
  let sending: Promise<void> | undefined;
  let isDelivered = true;

  const post = async (batch: EventBatch): Promise<boolean> => {
    try {
      const { status } = await fetch(url, {
        method: 'POST',
        // Lets the last batch outlive the page.
        keepalive: true,
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
        body: JSON.stringify(batch),
      });
      // A batch that the server refuses for good would block all that follow it.
      return status < 500 && status !== 429;
    } catch {
      return false;
    }
  };
  const send = async (): Promise<void> => {
    while (queue.length > 0) {
      const events = queue.slice(0, batchLengthMax);
      const wasDelivered = isDelivered;
      isDelivered = await post({ events });
      if (isDelivered !== wasDelivered) onDelivery?.(isDelivered);
      if (!isDelivered) return;
      const sent = new Set(events);
      queue = queue.filter((event) => !sent.has(event));
    }
  };
  const flush = (): Promise<void> =>
    (sending ??= send().finally(() => {
      sending = undefined;
    }));
  const timer = setInterval(() => void flush(), flushMs);

  return {
    report(event) {
      queue.push({ ...event, id: crypto.randomUUID(), timeMs: Date.now() });
      if (queue.length > queueLengthMax) queue.shift();
    },
    flush,
    async stop() {
      clearInterval(timer);
      await flush();
    },
  };
}
