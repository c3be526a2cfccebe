import type { Clock } from '../../common/runtime/clock.ts';

export interface SessionBookOptions {
  clock: Clock;
  /** Sessions that are remembered; above it the longest silent go first. */
  sessionsMax: number;
}

/**
 * A session without a request for so long is over, or paused. Longer than a token counts as verified (60 s), since the
 * native engine asks only when that is over, and than a player's buffer.
 */
const windowMs = 90_000;
/** A session's activity is noted, and told to other processes, no more often than this. */
const noteEveryMs = 20_000;

/** Which sessions play on this box: what is counted as live, and whom a drain or an overload lets go on. */
export class SessionBook {
  readonly #options: SessionBookOptions;
  /** Session → when it was noted last; the longest silent first. */
  readonly #notedAtMs = new Map<string, number>();
  readonly #fresh = new Set<string>();

  constructor(options: SessionBookOptions) {
    this.#options = options;
  }

  /** The session was let in to a file. */
  note(session: string): void {
    const nowMs = this.#options.clock.monotonicMs();
    const before = this.#notedAtMs.get(session);
    if (before !== undefined && nowMs - before < noteEveryMs) return;
    this.#put(session, nowMs);
    this.#fresh.add(session);
  }

  /** Sessions that others have noted. */
  merge(sessions: readonly string[]): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const session of sessions) this.#put(session, nowMs);
  }

  has(session: string): boolean {
    const notedAtMs = this.#notedAtMs.get(session);
    return notedAtMs !== undefined && this.#options.clock.monotonicMs() - notedAtMs < windowMs;
  }

  /** How many are live. */
  count(): number {
    this.#prune();
    return this.#notedAtMs.size;
  }

  /** All that are live. */
  live(): string[] {
    this.#prune();
    return [...this.#notedAtMs.keys()];
  }

  /** At most `countMax` of those noted here since they were last taken. */
  takeFresh(countMax: number): string[] {
    const taken = this.#fresh.values().take(countMax).toArray();
    for (const session of taken) this.#fresh.delete(session);
    return taken;
  }

  #put(session: string, nowMs: number): void {
    this.#notedAtMs.delete(session);
    this.#notedAtMs.set(session, nowMs);
    if (this.#notedAtMs.size <= this.#options.sessionsMax) return;
    const [oldest = ''] = this.#notedAtMs.keys();
    this.#forget(oldest);
  }

  #prune(): void {
    const overMs = this.#options.clock.monotonicMs() - windowMs;
    for (const [session, notedAtMs] of this.#notedAtMs) {
      if (notedAtMs > overMs) return;
      this.#forget(session);
    }
  }

  #forget(session: string): void {
    this.#notedAtMs.delete(session);
    this.#fresh.delete(session);
  }
}
