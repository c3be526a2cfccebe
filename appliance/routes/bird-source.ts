import { createRouteTableBuilder, type RouteTable } from '../../common/core/route-table.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { toCoded } from '../../common/runtime/errors.ts';
import type { Log } from '../../common/runtime/log.ts';
import { BirdProtocolReader, type BirdProtocol } from '../core/routes/bird-protocols.ts';
import { BirdRouteReader, type PassedOver } from '../core/routes/bird-routes.ts';
import type { RouteClassifier } from '../core/routes/route-classes.ts';
import { SessionBook } from '../core/routes/session-book.ts';
import { isOver } from '../fill/wakeup.ts';
import { BirdControl } from './bird-control.ts';
import type { RouteListener, RouteSource } from './route-source.ts';

export interface BirdSourceOptions {
  /** Path of the control socket. */
  socket: string;
  /** Which protocols tell routes; every BGP session when empty. */
  protocols: readonly string[];
  classifier: RouteClassifier;
  /** Routes of a lost session are kept for so long. */
  restartMs: number;
  /** Routes above so many are not told, but counted. */
  routesMax: number;
  clock: Clock;
  log: Log;
}

const lookMs = 500;
/** Reading takes at most a fifth of the time, however fast the table changes. */
const restFactor = 4;

/** A read under way. */
interface Reading {
  readonly abort: AbortController;
  readonly ended: Promise<void>;
}

/**
 * Routes of BIRD 2 by its control socket. Sessions are looked at every half second; the table is read only when a session came
 * or went or its counters have moved, and by a connection of its own, so that a long read hides no lost session.
 */
export function createBirdSource(options: BirdSourceOptions): RouteSource {
  return {
    run: (listener, signal) => new BirdFollower(options, listener).run(signal),
  };
}

class BirdFollower {
  readonly #options: BirdSourceOptions;
  readonly #listener: RouteListener;
  readonly #book: SessionBook;
  #reading: Reading | undefined;
  #restUntilMs = 0;
  #silentUntilMs = 0;
  #hasTold = false;
  #readNotes: readonly string[] = [];
  #unavailable: string | undefined;

  constructor(options: BirdSourceOptions, listener: RouteListener) {
    this.#options = options;
    this.#listener = listener;
    this.#book = new SessionBook({ restartMs: options.restartMs });
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, restartMs } = this.#options;
    // A box that was started anew keeps to what was told before it, as long as a lost session would.
    this.#silentUntilMs = clock.monotonicMs() + restartMs;
    while (!signal.aborted) {
      try {
        await this.#follow(signal);
      } catch (error) {
        const { message } = toCoded(error);
        if (isOver(signal)) return;
        if (this.#unavailable === undefined)
          log.warn({ err: error }, 'BIRD cannot be asked for routes; it is tried again');
        this.#unavailable = message;
        const nowMs = clock.monotonicMs();
        if (this.#book.loseAll(nowMs) || this.#isNothingNews(nowMs)) this.#tellRoutes();
        this.#tellReasons();
      }
      await clock.sleep(lookMs, { signal }).catch(() => undefined);
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { clock, socket, log } = this.#options;
    const control = await BirdControl.open(socket, signal);
    if (this.#unavailable !== undefined) log.info('BIRD answers again');
    this.#unavailable = undefined;
    try {
      for (;;) {
        this.#look(await this.#sessions(control));
        await clock.sleep(lookMs, { signal });
      }
    } finally {
      control.close();
      await this.#endReading();
    }
  }

  async #sessions(control: BirdControl): Promise<BirdProtocol[]> {
    const reader = new BirdProtocolReader();
    await control.ask('show protocols all', (code, text) => {
      reader.line(code, text);
    });
    const { protocols: wanted } = this.#options;
    return reader.protocols.filter(({ name, kind }) =>
      wanted.length === 0 ? kind === 'BGP' : wanted.includes(name),
    );
  }

  #look(sessions: readonly BirdProtocol[]): void {
    const nowMs = this.#options.clock.monotonicMs();
    const ups = this.#book.upNames.join();
    if (this.#book.look(sessions, nowMs) || this.#isNothingNews(nowMs)) this.#tellRoutes();
    // A session that went makes others' routes count that the read under way may have passed over.
    if (ups !== this.#book.upNames.join()) this.#reading?.abort.abort();
    if (this.#book.readWanted && this.#reading === undefined && nowMs >= this.#restUntilMs)
      this.#startReading();
    this.#tellReasons();
  }

  /** Where nothing was told yet, that there is nothing is news as well. */
  #isNothingNews(nowMs: number): boolean {
    return !this.#hasTold && nowMs >= this.#silentUntilMs && this.#book.upNames.length === 0;
  }

  #startReading(): void {
    const { clock, log } = this.#options;
    const abort = new AbortController();
    const startedMs = clock.monotonicMs();
    const ended = this.#read(abort.signal)
      .catch((error: unknown) => {
        if (!abort.signal.aborted)
          log.warn({ err: error }, 'the routes of BIRD cannot be read; it is tried again');
      })
      .then(() => {
        const endedMs = clock.monotonicMs();
        this.#reading = undefined;
        // What was cut off is begun anew at the next look.
        if (!abort.signal.aborted) this.#restUntilMs = endedMs + restFactor * (endedMs - startedMs);
      });
    this.#reading = { abort, ended };
  }

  async #endReading(): Promise<void> {
    this.#reading?.abort.abort();
    await this.#reading?.ended;
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { socket } = this.#options;
    const { state, upNames } = this.#book;
    const control = await BirdControl.open(socket, signal);
    const tables = new Map<string, RouteTable>();
    const read = { routes: 0, passedOver: { unreadable: 0, discarding: 0 } };
    try {
      for (const name of upNames) tables.set(name, await this.#readSession(control, name, read));
    } finally {
      control.close();
    }
    if (signal.aborted) return;
    this.#readNotes = notesOf(read, this.#options.routesMax);
    this.#book.took(tables, state);
    this.#tellRoutes();
  }

  async #readSession(control: BirdControl, name: string, read: ReadSoFar): Promise<RouteTable> {
    const { classifier, routesMax } = this.#options;
    const builder = createRouteTableBuilder();
    const reader = new BirdRouteReader({
      classifier,
      onRoute: (prefix, keys) => {
        if (++read.routes <= routesMax) builder.add(prefix, keys);
      },
    });
    await control.ask(`show route all primary protocol '${name}'`, (code, text) => {
      reader.line(code, text);
    });
    reader.end();
    read.passedOver.unreadable += reader.passedOver.unreadable;
    read.passedOver.discarding += reader.passedOver.discarding;
    return builder.build();
  }

  #tellRoutes(): void {
    this.#hasTold = true;
    this.#listener.routes(this.#book.routes());
  }

  #tellReasons(): void {
    const down = this.#book.downNotes;
    this.#listener.reasons([
      ...(this.#unavailable === undefined ? [] : [`ROUTE_SOURCE_UNAVAILABLE: ${this.#unavailable}`]),
      ...(down.length === 0 ? [] : [`ROUTE_SESSION_DOWN: ${down.join(', ')}`]),
      ...this.#readNotes,
    ]);
  }
}

interface ReadSoFar {
  routes: number;
  readonly passedOver: PassedOver;
}

function notesOf({ routes, passedOver }: ReadSoFar, routesMax: number): string[] {
  const { unreadable, discarding } = passedOver;
  return [
    ...(routes > routesMax
      ? [`ROUTES_CAPPED: BIRD has ${routes} routes, of which ${routesMax} are told`]
      : []),
    ...(unreadable > 0 ? [`ROUTE_UNREADABLE: ${unreadable} routes have no prefix that can be read`] : []),
    ...(discarding > 0 ? [`ROUTE_DISCARDING: ${discarding} routes lead to nowhere and are not told`] : []),
  ];
}
