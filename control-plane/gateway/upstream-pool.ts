import {
  UpstreamConnection,
  type ConnectionPool,
  type Exchange,
  type UpstreamTimes,
} from './upstream-connection.ts';
import { coded } from '../../common/runtime/errors.ts';

export interface UpstreamPoolOptions {
  readonly connectionsMax: number;
  readonly times: UpstreamTimes;
}

const TICK_MS = 250;
const closed = (): Error => coded('DRAINING', 'the gateway ends');

/** Connections to one process of a service. What is asked while all are busy waits, for no longer than for an answer; the caller bounds how much that is. */
export class UpstreamPool {
  readonly #connections = new Set<UpstreamConnection>();
  /** The one that was used last is used first, so that those which are not needed are closed. */
  readonly #free: UpstreamConnection[] = [];
  /** Each with the time until when it waits for a connection, the oldest first. */
  readonly #waiting = new Map<Exchange, number>();
  readonly #connectionsMax: number;
  readonly #pool: ConnectionPool;
  #nowMs = 0;
  #ticking: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(origin: string, { connectionsMax, times }: UpstreamPoolOptions) {
    this.#connectionsMax = connectionsMax;
    this.#pool = {
      ...{ origin: new URL(origin), times },
      nowMs: () => this.#nowMs,
      free: (connection) => {
        this.#use(connection);
      },
      gone: (connection) => {
        this.#forget(connection);
      },
    };
  }

  /** Asks, as soon as there is a connection; nothing is answered within the call. */
  ask(exchange: Exchange): void {
    if (this.#isClosed) {
      queueMicrotask(() => {
        exchange.failed('unsent', closed());
      });
      return;
    }
    const free = this.#free.pop();
    if (free !== undefined) free.ask(exchange);
    else if (this.#connections.size < this.#connectionsMax) this.#open(exchange);
    else this.#waiting.set(exchange, this.#nowMs + this.#pool.times.beginMs);
  }

  /** Its answer is not wanted any more; nothing is heard of it from now on. */
  abandon(exchange: Exchange): void {
    this.#waiting.delete(exchange);
    exchange.connection?.abandon(exchange);
  }

  /** Cuts all connections; what is asked over them fails. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#ticking);
    for (const connection of this.#connections) connection.destroy();
    const waiting = [...this.#waiting.keys()];
    this.#waiting.clear();
    for (const exchange of waiting) exchange.failed('unsent', closed());
  }

  #open(exchange: Exchange): void {
    this.#ticking ??= setInterval(() => {
      this.#tick();
    }, TICK_MS).unref();
    this.#connections.add(new UpstreamConnection(this.#pool, exchange));
  }

  #use(connection: UpstreamConnection): void {
    const next = this.#nextWaiting();
    if (next === undefined) this.#free.push(connection);
    else connection.ask(next);
  }

  #forget(connection: UpstreamConnection): void {
    this.#connections.delete(connection);
    const at = this.#free.indexOf(connection);
    if (at !== -1) this.#free.splice(at, 1);
    const next = this.#isClosed ? undefined : this.#nextWaiting();
    if (next !== undefined) this.#open(next);
    if (this.#connections.size > 0) return;
    clearInterval(this.#ticking);
    this.#ticking = undefined;
  }

  /** Nobody waits for a connection for longer than for an answer. */
  #refuseLate(): void {
    for (const [exchange, untilMs] of [...this.#waiting]) {
      if (untilMs > this.#nowMs) return;
      this.#waiting.delete(exchange);
      exchange.failed('unsent', coded('TIMEOUT', `${this.#pool.origin.host}: all connections are busy`));
    }
  }

  #nextWaiting(): Exchange | undefined {
    for (const exchange of this.#waiting.keys()) {
      this.#waiting.delete(exchange);
      return exchange;
    }
    return undefined;
  }

  #tick(): void {
    this.#nowMs += TICK_MS;
    this.#refuseLate();
    for (const connection of [...this.#connections]) connection.tick(this.#nowMs);
  }
}
