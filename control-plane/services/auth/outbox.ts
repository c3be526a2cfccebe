import type { Letter, Mail } from '../../../common/adapters/mail/port.ts';
import { Limiter } from '../../../common/core/limiter.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded, isCoded } from '../../../common/runtime/errors.ts';
import type { Log } from '../../../common/runtime/log.ts';

/** A letter, and until when it is worth sending. */
export interface DueLetter {
  readonly letter: Letter;
  readonly endsAtMs: number;
}

/** Sends letters beside whoever asks for them: neither the time that it takes nor its failure tells them anything. */
export interface Outbox {
  /** Has a letter written and sent, unless none is to be; both begin behind the answer that is being made. */
  post(write: () => Promise<DueLetter | undefined>): void;
  /** Gives up what waits of letters about an account, and removes what is kept of others. */
  forget(accountId: string): Promise<void>;
  /** Gives up what waits. Whoever waits for a letter asks for another. */
  stop(): Promise<void>;
}

/** A letter that is being written or sent. */
interface Held {
  readonly ending: AbortController;
  /** Accounts that were forgotten while it was not known whom it is about. */
  readonly forgotten: Set<string>;
  accountId?: string;
  task?: Promise<void>;
}

const heldMax = 1000;
const sendsMax = 4;
const againMs = 30_000;
const againMsMax = 600_000;

/** Opens the outbox. What was given up is logged, with the account that it was for. */
export function createOutbox({ mail, clock, log }: { mail: Mail; clock: Clock; log: Log }): Outbox {
  const limiter = new Limiter({ runsMax: sendsMax });
  const held = new Set<Held>();
  let isOver = false;

  const deliver = async ({ letter, endsAtMs }: DueLetter, signal: AbortSignal): Promise<void> => {
    const { accountId } = letter;
    for (let waitMs = againMs; !signal.aborted; waitMs = Math.min(waitMs * 2, againMsMax)) {
      try {
        await limiter.run(() => mail.send(letter, { signal }));
        return;
      } catch (error) {
        const isLast = isCoded(error, 'MAIL_REFUSED', 'INVALID') || clock.nowMs() + waitMs >= endsAtMs;
        log.warn({ err: error, accountId }, isLast ? 'a letter was given up' : 'a letter has to wait');
        if (isLast) return;
      }
      await clock.sleep(waitMs, { signal }).catch(() => undefined);
    }
  };
  const work = async (write: () => Promise<DueLetter | undefined>, each: Held): Promise<void> => {
    try {
      // Records are read and written in the turn in which they are asked: not in that of the answer.
      await new Promise((resolve) => setImmediate(resolve));
      const due = await write();
      if (due === undefined || each.forgotten.has(due.letter.accountId)) return;
      each.accountId = due.letter.accountId;
      await deliver(due, each.ending.signal);
    } catch (error) {
      log.error({ err: error }, 'a letter could not be written');
    }
  };
  return {
    post(write) {
      if (isOver || held.size >= heldMax) {
        log.warn({ held: held.size }, 'a letter is not written: too many wait');
        return;
      }
      const each: Held = { ending: new AbortController(), forgotten: new Set() };
      held.add(each);
      each.task = work(write, each).finally(() => held.delete(each));
    },
    async forget(accountId) {
      for (const each of held) if (each.accountId === undefined) each.forgotten.add(accountId);
      const about = [...held].filter((each) => each.accountId === accountId);
      await giveUp(about, 'the account is erased');
      await mail.forget(accountId);
    },
    async stop() {
      isOver = true;
      await giveUp([...held], 'the process stops');
    },
  };
}

async function giveUp(letters: readonly Held[], why: string): Promise<void> {
  for (const { ending } of letters) ending.abort(coded('ABORTED', why));
  await Promise.all(letters.map(async ({ task }) => await task));
}
