/** What a request is for, the most important first: who watches goes on watching while others browse. */
export const priorities = ['playback', 'sign-in', 'browse', 'background'] as const;
export type Priority = (typeof priorities)[number];

/** The share of all places that each is sure of; what one leaves idle the others use. */
export const priorityShares: Readonly<Record<Priority, number>> = {
  playback: 0.5,
  'sign-in': 0.2,
  browse: 0.2,
  background: 0.1,
};

interface Waiter<W> {
  readonly who: W;
  readonly untilMs: number;
}

interface Part<W> {
  share: number;
  /** Places that it is sure of. */
  sure: number;
  inside: number;
  readonly waiting: Waiter<W>[];
}

/**
 * Lets requests in while there are places. With all taken, a priority still has the places of its share (so there may be twice
 * as many inside as the limit says, never more), and others wait in bounded lines; a place that becomes free goes to the
 * highest priority that waits. Shares as in AbstractPartitionedLimiter of github.com/Netflix/concurrency-limits.
 */
export class PriorityGate<W> {
  readonly #parts: Readonly<Record<Priority, Part<W>>>;
  readonly #waitingMax: number;
  #limit: number;
  #inside = 0;
  #waiting = 0;

  constructor({ limit, waitingMax }: { limit: number; waitingMax: number }) {
    const part = (share: number): Part<W> => ({ share, sure: 0, inside: 0, waiting: [] });
    this.#parts = {
      playback: part(priorityShares.playback),
      'sign-in': part(priorityShares['sign-in']),
      browse: part(priorityShares.browse),
      background: part(priorityShares.background),
    };
    this.#waitingMax = waitingMax;
    this.#limit = limit;
    this.#share();
  }

  /** Requests inside, of all priorities. */
  get inside(): number {
    return this.#inside;
  }

  get waiting(): number {
    return this.#waiting;
  }

  get limit(): number {
    return this.#limit;
  }

  /** Requests of one priority inside. */
  insideOf(priority: Priority): number {
    return this.#parts[priority].inside;
  }

  /** Changes how many places there are. @returns who waited and is inside now. */
  setLimit(limit: number): W[] {
    this.#limit = limit;
    this.#share();
    return this.#letIn();
  }

  /** Whether there is a place. */
  hasRoom(priority: Priority): boolean {
    const part = this.#parts[priority];
    return this.#inside < this.#limit || part.inside < part.sure;
  }

  /** Takes a place if there is one. */
  enter(priority: Priority): boolean {
    if (!this.hasRoom(priority)) return false;
    const part = this.#parts[priority];
    part.inside++;
    this.#inside++;
    return true;
  }

  /** Gets in line until a moment; false where the line of this priority is full. */
  wait(priority: Priority, who: W, untilMs: number): boolean {
    const { waiting } = this.#parts[priority];
    if (waiting.length >= this.#waitingMax) return false;
    waiting.push({ who, untilMs });
    this.#waiting++;
    return true;
  }

  /** Gives a place back. @returns who waited and is inside now. */
  leave(priority: Priority): W[] {
    this.#parts[priority].inside--;
    this.#inside--;
    return this.#waiting === 0 ? [] : this.#letIn();
  }

  /** Takes those out of their lines who have waited for too long. */
  expire(nowMs: number): W[] {
    const gone: W[] = [];
    for (const priority of priorities) {
      const { waiting } = this.#parts[priority];
      // All wait equally long, so the first in line is the first to go.
      while (waiting[0] !== undefined && waiting[0].untilMs <= nowMs) gone.push(...this.#takeFirst(waiting));
    }
    return gone;
  }

  #letIn(): W[] {
    const entered: W[] = [];
    for (const priority of priorities) {
      const { waiting } = this.#parts[priority];
      while (waiting.length > 0 && this.enter(priority)) entered.push(...this.#takeFirst(waiting));
    }
    return entered;
  }

  #takeFirst(waiting: Waiter<W>[]): W[] {
    this.#waiting--;
    return waiting.splice(0, 1).map(({ who }) => who);
  }

  #share(): void {
    for (const priority of priorities) {
      const part = this.#parts[priority];
      part.sure = Math.max(1, Math.ceil(this.#limit * part.share));
    }
  }
}
