import type { EventPage, Events, StoredEvent } from '../../../common/adapters/events/port.ts';
import type { EventType } from '../../../common/contract/event-log.ts';
import { coded } from '../../../common/runtime/errors.ts';
import type { Calls } from '../../apart/interface.ts';
import { readWaitMs, type eventLog } from './interfaces.ts';
import type { FollowedLog, ServedLog } from './ports.ts';

// Of 1000 events or 4 MiB: more would hold the answer, and this process, for long.
const pagesAtOnce = 8;

/** Answers for the log of this process. */
export function answerEventLog(
  events: Pick<Events, 'append' | 'read' | 'wait' | 'commit' | 'status'>,
): Calls<typeof eventLog> {
  return {
    async read({ after, types, isAwaited }, { signal } = {}) {
      const { lastOffset } = await events.status();
      // Its reader finds out by this error, and begins anew.
      if (after > lastOffset)
        throw coded('CONFLICT', `the log ends at ${lastOffset}: what was read up to ${after} is another one`);
      const wanted = new Set(types);
      const waiting = AbortSignal.any([AbortSignal.timeout(readWaitMs), ...(signal ? [signal] : [])]);
      for (let at = { next: after, missed: 0 }; ;) {
        const page = await readWanted(events, at, wanted);
        const isThere = page.events.length > 0 || page.missed > 0;
        if (!isAwaited || isThere || waiting.aborted) return page;
        at = page;
        // It ends by the signal where nothing comes.
        await events.wait(page.next, waiting).catch((error: unknown) => {
          if (!waiting.aborted) throw error;
        });
      }
    },
    end: async () => ({ lastOffset: (await events.status()).lastOffset }),
    commit: async ({ consumer, offset }) => {
      await events.commit(consumer, offset);
      return {};
    },
    appendServed: async ({ timeMs, parts }) => {
      await events.append(parts.map((data) => ({ type: 'served-report', timeMs, data })));
      return {};
    },
  };
}

/** Reads on until something wanted is there, or nothing more. */
async function readWanted(
  events: Pick<Events, 'read'>,
  from: { readonly next: number; readonly missed: number },
  wanted: ReadonlySet<string>,
): Promise<{ events: StoredEvent[]; next: number; missed: number }> {
  let { next, missed } = from;
  for (let pages = 0; pages < pagesAtOnce; pages++) {
    const page = await events.read(next);
    missed += page.missed;
    const found = page.events.filter(({ type }) => wanted.has(type));
    const isEnd = page.next === next;
    next = page.next;
    if (found.length > 0 || isEnd) return { events: found, next, missed };
  }
  return { events: [], next, missed };
}

/** A log that asks, for who wants events of some types. */
export function askForEventLog(
  calls: Calls<typeof eventLog>,
  types: readonly EventType[],
): FollowedLog & ServedLog {
  /** What was waited for is read next. */
  let awaited: { readonly after: number; readonly page: EventPage } | undefined;
  const ask = (after: number, isAwaited: boolean, signal?: AbortSignal): Promise<EventPage> =>
    calls.read({ after, types: [...types], isAwaited }, { signal });
  return {
    async read(after) {
      const held = awaited;
      awaited = undefined;
      return held?.after === after ? held.page : ask(after, false);
    },
    async wait(after, signal) {
      awaited = { after, page: await ask(after, true, signal) };
    },
    end: async () => (await calls.end({})).lastOffset,
    commit: async (consumer, offset) => {
      await calls.commit({ consumer, offset });
    },
    appendServed: async (timeMs, parts) => {
      await calls.appendServed({ timeMs, parts: [...parts] });
    },
  };
}

/** The log of this process as who learns from it follows it. */
export function followLog(events: Pick<Events, 'read' | 'wait' | 'commit' | 'status'>): FollowedLog {
  return {
    read: (after) => events.read(after),
    wait: (after, signal) => events.wait(after, signal),
    end: async () => (await events.status()).lastOffset,
    commit: (consumer, offset) => events.commit(consumer, offset),
  };
}
