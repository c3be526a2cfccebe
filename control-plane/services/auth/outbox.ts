import type { Letter, Mail } from '../../../common/adapters/mail/port.ts';
import { Limiter } from '../../../common/core/limiter.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded, isCoded } from '../../../common/runtime/errors.ts';
import type { Log } from '../../../common/runtime/log.ts';

/** A letter, and until when it is worth sending. */
export interface DueLetter {
  readonly letter: Letter;
  readonly accountId: string;
  readonly endsAtMs: number;
}

/** Sends letters beside whoever asks for them: neither the time that it takes nor its failure tells them anything. */
export interface Outbox {
  /** Has a letter written and sent, unless none is to be; both begin behind the answer that is being made. */
  post(write: () => Promise<DueLetter | undefined>): void;
  /** Gives up what waits. Whoever waits for a letter asks for another. */
  stop(): Promise<void>;
}

const heldMax = 1000;
const sendsMax = 4;
const againMs = 30_000;
const againMsMax = 600_000;

/** Opens the outbox. What was given up is logged, with the account that it was for. */
export function createOutbox({ mail, clock, log }: { mail: Mail; clock: Clock; log: Log }): Outbox {
  const limiter = new Limiter({ runsMax: sendsMax });
  const held = new Set<Promise<void>>();
  const ending = new AbortController();
  const { signal } = ending;

  const deliver = async ({ letter, accountId, endsAtMs }: DueLetter): Promise<void> => {
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
  const work = async (write: () => Promise<DueLetter | undefined>): Promise<void> => {
    try {
      // Records are read and written in the turn in which they are asked: not in that of the answer.
      await new Promise((resolve) => setImmediate(resolve));
      const due = await write();
      if (due !== undefined) await deliver(due);
    } catch (error) {
      log.error({ err: error }, 'a letter could not be written');
    }
  };
  return {
    post(write) {
      if (signal.aborted || held.size >= heldMax) {
        log.warn({ held: held.size }, 'a letter is not written: too many wait');
        return;
      }
      const task = work(write).finally(() => held.delete(task));
      held.add(task);
    },
    async stop() {
      ending.abort(coded('ABORTED', 'the process stops'));
      await Promise.all(held);
    },
  };
}
