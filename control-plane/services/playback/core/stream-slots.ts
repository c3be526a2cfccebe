/** A session that may play. */
interface Stream {
  readonly account: string;
  readonly device: string;
  /** Until when it counts, unless it reports again. */
  untilMs: number;
  /** Its player has said that it ends, and nothing since. */
  hasEnded: boolean;
}

/** Who starts a stream, and how many may play at once. */
interface Start {
  readonly account: string;
  /** What tells the devices of an account apart. */
  readonly device: string;
  readonly max: number;
  readonly nowMs: number;
}

/** A player that reports counts until it has been silent for so long. */
const silenceMs = 60_000;
/** One that has never reported counts for so long: standard players need not report. */
const unheardMs = 5 * 60_000;
/** One that ends counts for so long to other devices: a player that plays on reports meanwhile. */
const restMs = 10_000;
/** One that counts no more is known for so long, and counts again if it is heard. */
const knownMs = 60_000;

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

  /**
   * Counts a session that starts; false, and nothing is counted, where the account plays `max` already. What has ended on the same
   * device makes room at once.
   */
  begin(session: string, { account, device, max, nowMs }: Start): boolean {
    let playing = 0;
    for (const other of [...(this.#ofAccount.get(account) ?? [])]) {
      const stream = this.#streams.get(other);
      if (stream === undefined || stream.untilMs + knownMs <= nowMs) this.end(other);
      else if (stream.untilMs > nowMs && !(stream.hasEnded && stream.device === device)) playing++;
    }
    if (playing >= max) return false;
    const [oldest] = this.#streams.size >= this.#streamsMax ? this.#streams.keys() : [];
    if (oldest !== undefined) this.end(oldest);
    const sessions = this.#ofAccount.get(account) ?? new Set<string>();
    this.#ofAccount.set(account, sessions.add(session));
    this.#streams.set(session, { account, device, untilMs: nowMs + unheardMs, hasEnded: false });
    return true;
  }

  /** The player of a session has reported. */
  heard(session: string, nowMs: number): void {
    const stream = this.#streams.get(session);
    if (stream === undefined) return;
    stream.untilMs = nowMs + silenceMs;
    stream.hasEnded = false;
  }

  /** The player of a session has said that it ends: it counts no more in a few seconds, unless it is heard again. */
  rest(session: string, nowMs: number): void {
    const stream = this.#streams.get(session);
    if (stream === undefined) return;
    stream.untilMs = Math.min(stream.untilMs, nowMs + restMs);
    stream.hasEnded = true;
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
