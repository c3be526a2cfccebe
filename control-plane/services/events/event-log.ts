import type { EventPage, Events, StoredEvent } from '../../../common/adapters/events/port.ts';
import type { EventType } from '../../../common/contract/event-log.ts';
import { coded } from '../../../common/runtime/errors.ts';
import type { Calls } from '../../apart/interface.ts';
import { readWaitMs, type eventLog } from './interfaces.ts';
import type { FollowedLog, LogPlace } from '../log-follower.ts';
import type { ServedLog } from './ports.ts';

// Of 1000 events or 4 MiB: more would hold the answer, and this process, for long.
const pagesAtOnce = 8;

/** Answers for the log of this process. */
export function answerEventLog(
  events: Pick<Events, 'append' | 'read' | 'wait' | 'commit' | 'status'>,
): Calls<typeof eventLog> {
  return {
    async read({ log, after, types, isAwaited }, { signal } = {}) {
      await checkPlace(events, { log, offset: after });
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
    async end() {
      const { id, lastOffset } = await events.status();
      return { log: id, lastOffset };
    },
    commit: async ({ consumer, log, offset }) => {
      await checkPlace(events, { log, offset });
      await events.commit(consumer, offset);
      return {};
    },
    appendServed: async ({ timeMs, parts }) => {
      await events.append(parts.map((data) => ({ type: 'served-report', timeMs, data })));
      return {};
    },
  };
}

/** Errors: CONFLICT where it is a place in another log; by that its reader finds out, and begins anew. */
async function checkPlace(events: Pick<Events, 'status'>, { log, offset }: LogPlace): Promise<void> {
  const { id, lastOffset } = await events.status();
  if (log !== id) throw coded('CONFLICT', `the log is ${id}: what was read is ${log}`);
  if (offset > lastOffset)
    throw coded('CONFLICT', `the log ends at ${lastOffset}: what was read up to ${offset} is another one`);
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
  let awaited: { readonly after: LogPlace; readonly page: EventPage } | undefined;
  const ask = ({ log, offset }: LogPlace, isAwaited: boolean, signal?: AbortSignal): Promise<EventPage> =>
    calls.read({ log, after: offset, types: [...types], isAwaited }, { signal });
  return {
    async read(after) {
      const held = awaited;
      awaited = undefined;
      const isHeld = held?.after.offset === after.offset && held.after.log === after.log;
      return isHeld ? held.page : ask(after, false);
    },
    async wait(after, signal) {
      awaited = { after, page: await ask(after, true, signal) };
    },
    async end() {
      const { log, lastOffset } = await calls.end({});
      return { log, offset: lastOffset };
    },
    commit: async (consumer, { log, offset }) => {
      await calls.commit({ consumer, log, offset });
    },
    appendServed: async (timeMs, parts) => {
      await calls.appendServed({ timeMs, parts: [...parts] });
    },
  };
}

/** The log of this process, which is the same for its life, as who learns from it follows it. */
export function followLog(events: Pick<Events, 'read' | 'wait' | 'commit' | 'status'>): FollowedLog {
  return {
    read: ({ offset }) => events.read(offset),
    wait: ({ offset }, signal) => events.wait(offset, signal),
    async end() {
      const { id, lastOffset } = await events.status();
      return { log: id, offset: lastOffset };
    },
    commit: (consumer, { offset }) => events.commit(consumer, offset),
  };
}
