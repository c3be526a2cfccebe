/** A session that may play. */
interface Stream {
  readonly account: string;
  /** Until when it counts, unless it reports again. */
  untilMs: number;
}

/** A player that reports counts until it has been silent for so long. */
const silenceMs = 60_000;
/** One that has never reported counts for so long: standard players need not report. */
const unheardMs = 5 * 60_000;

/**
 * How many streams play at once, by account. A player that reports is counted as long as it does; one that never has, from its start for
 * five minutes. Bounded: of more than `streamsMax` the oldest is forgotten.
 */
export class StreamSlots {
  readonly #streamsMax: number;
  /** By session, the oldest first. */
  readonly #streams = new Map<string, Stream>();
  readonly #ofAccount = new Map<string, Set<string>>();

  constructor({ streamsMax }: { streamsMax: number }) {
    this.#streamsMax = streamsMax;
  }

  /** Counts a session that starts; false, and nothing is counted, where the account plays `max` already. */
  begin(session: string, { account, max, nowMs }: { account: string; max: number; nowMs: number }): boolean {
    for (const other of [...(this.#ofAccount.get(account) ?? [])])
      if ((this.#streams.get(other)?.untilMs ?? 0) <= nowMs) this.end(other);
    const sessions = this.#ofAccount.get(account) ?? new Set<string>();
    if (sessions.size >= max) return false;
    const [oldest] = this.#streams.size >= this.#streamsMax ? this.#streams.keys() : [];
    if (oldest !== undefined) this.end(oldest);
    this.#ofAccount.set(account, sessions.add(session));
    this.#streams.set(session, { account, untilMs: nowMs + unheardMs });
    return true;
  }

  /** The player of a session has reported. */
  heard(session: string, nowMs: number): void {
    const stream = this.#streams.get(session);
    if (stream !== undefined) stream.untilMs = nowMs + silenceMs;
  }

  /** The player of a session has said that it ends: it counts no more, unless it is heard again. */
  rest(session: string): void {
    const stream = this.#streams.get(session);
    if (stream !== undefined) stream.untilMs = 0;
  }

  /** The session is none any more. */
  end(session: string): void {
    const { account = '' } = this.#streams.get(session) ?? {};
    this.#streams.delete(session);
    const sessions = this.#ofAccount.get(account);
    sessions?.delete(session);
    if (sessions?.size === 0) this.#ofAccount.delete(account);
  }
}
