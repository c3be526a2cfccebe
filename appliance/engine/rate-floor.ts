import type { Socket } from 'node:net';

/** A transfer that is watched. */
export interface WatchedTransfer {
  /** So many bytes are on their way to the kernel. */
  sending(bytes: number): void;
  /** All of what was on its way is there. */
  sent(bytes: number): void;
  end(): void;
  /** It was cut for being slow. */
  readonly isCut: boolean;
}

interface Entry {
  readonly socket: Socket;
  sinceMs: number;
  bytes: number;
  pendingBytes: number;
  isCut: boolean;
}

const unwatched: WatchedTransfer = {
  sending: () => undefined,
  sent: () => undefined,
  end: () => undefined,
  isCut: false,
};

/**
 * Cuts transfers that are slower than a floor: each holds a buffer and a descriptor, and thousands of them cost a client
 * next to nothing. They are judged over windows long enough for two pieces, and a piece on its way counts as sent.
 */
export class RateFloor {
  readonly #options: { minBytesPerSecond: number; windowMs: number; monotonicMs: () => number };
  readonly #entries = new Set<Entry>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: {
    minBytesPerSecond: number;
    idleTimeoutMs: number;
    pieceBytes: number;
    monotonicMs: () => number;
  }) {
    const { minBytesPerSecond, idleTimeoutMs, pieceBytes, monotonicMs } = options;
    const pieceMs = (1000 * pieceBytes) / Math.max(1, minBytesPerSecond);
    this.#options = { minBytesPerSecond, windowMs: Math.max(idleTimeoutMs, 2 * pieceMs), monotonicMs };
  }

  watch(socket: Socket): WatchedTransfer {
    if (this.#options.minBytesPerSecond === 0) return unwatched;
    const entry: Entry = {
      socket,
      sinceMs: this.#options.monotonicMs(),
      bytes: 0,
      pendingBytes: 0,
      isCut: false,
    };
    this.#entries.add(entry);
    this.#timer ??= setInterval(() => {
      this.#look();
    }, this.#options.windowMs / 4).unref();
    return {
      sending: (bytes) => {
        entry.pendingBytes = bytes;
      },
      sent: (bytes) => {
        entry.pendingBytes = 0;
        entry.bytes += bytes;
      },
      end: () => {
        this.#entries.delete(entry);
        if (this.#entries.size > 0) return;
        clearInterval(this.#timer);
        this.#timer = undefined;
      },
      get isCut() {
        return entry.isCut;
      },
    };
  }

  #look(): void {
    const { minBytesPerSecond, windowMs, monotonicMs } = this.#options;
    const nowMs = monotonicMs();
    for (const entry of this.#entries) {
      const tookMs = nowMs - entry.sinceMs;
      if (tookMs < windowMs) continue;
      // Nothing on its way: the wait is for our disk, not for the client.
      if (entry.pendingBytes > 0 && entry.bytes + entry.pendingBytes < (minBytesPerSecond * tookMs) / 1000) {
        entry.isCut = true;
        entry.socket.destroy();
      }
      entry.sinceMs = nowMs;
      entry.bytes = 0;
    }
  }
}
