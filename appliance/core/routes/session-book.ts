import {
  createRouteTableBuilder,
  unpackRouteKeys,
  type FamilyRoutes,
  type RouteTable,
} from '../../../common/core/route-table.ts';
import { widthOf } from '../../../common/core/ip-address.ts';
import type { BirdProtocol } from './bird-protocols.ts';

/** A session and what is known by it. */
interface Session {
  isUp: boolean;
  info: string;
  counters: string;
  /** As last read; undefined while it is down, and until it was read. */
  table: RouteTable | undefined;
  /** What it had when it was lost, and until when that is kept. */
  kept: { readonly table: RouteTable; readonly untilMs: number } | undefined;
  /** Looks in a row that found it up with the same counters. */
  quietLooks: number;
}

// Two looks apart by half a second: the peer has sent what it has, or at least pauses.
const quietLooksMin = 2;

/**
 * What the sessions of a BGP daemon say together. Pure: looks and reads are told to it, with the time of a clock that never
 * goes back. Routes go with their session, at once or `restartMs` later; where the session is back before that, once it
 * has told its routes anew.
 */
export class SessionBook {
  readonly #restartMs: number;
  readonly #sessions = new Map<string, Session>();
  #readOf: string | undefined;

  constructor(options: { restartMs: number }) {
    this.#restartMs = options.restartMs;
  }

  /** Takes a look at the sessions; true when the routes have changed by it alone. */
  look(protocols: readonly BirdProtocol[], nowMs: number): boolean {
    let changed = false;
    for (const protocol of protocols) {
      const session = this.#sessions.get(protocol.name) ?? this.#begin(protocol.name);
      session.info = protocol.info;
      if (protocol.isUp) {
        session.quietLooks =
          session.isUp && session.counters === protocol.counters ? session.quietLooks + 1 : 0;
        // What was read before it went away is not what it has now, even where its counters are the same.
        if (!session.isUp) this.#readOf = undefined;
        session.isUp = true;
      } else if (session.isUp) {
        changed = this.#lose(session, nowMs) || changed;
      }
      session.counters = protocol.counters;
    }
    const named = new Set(protocols.map(({ name }) => name));
    for (const [name, session] of this.#sessions) {
      if (!named.has(name)) changed = this.#lose(session, nowMs) || changed;
      changed = this.#letGo(session, nowMs) || changed;
      if (!named.has(name) && session.kept === undefined) this.#sessions.delete(name);
    }
    return changed;
  }

  /** The daemon is gone, and every session with it; true when the routes have changed by that. */
  loseAll(nowMs: number): boolean {
    return this.look([], nowMs);
  }

  /** What the routes depend on; another one than at the last read means that they may have changed. */
  get state(): string {
    return [...this.#sessions]
      .map(([name, { isUp, counters }]) => `${name} ${isUp ? counters : 'down'}`)
      .join('\n');
  }

  /** Whether the routes are to be read. */
  get readWanted(): boolean {
    return this.upNames.length > 0 && this.state !== this.#readOf;
  }

  /** The sessions that are up. */
  get upNames(): string[] {
    return [...this.#sessions].filter(([, { isUp }]) => isUp).map(([name]) => name);
  }

  /** The sessions that are not up, and why; in words. */
  get downNotes(): string[] {
    return [...this.#sessions].filter(([, { isUp }]) => !isUp).map(([name, { info }]) => `${name}: ${info}`);
  }

  /** Takes over what was read, session by session, while the state was `state`. */
  took(tables: ReadonlyMap<string, RouteTable>, state: string): void {
    this.#readOf = state;
    for (const [name, table] of tables) {
      const session = this.#sessions.get(name);
      if (session?.isUp === true) session.table = table;
    }
  }

  /** All routes: of two with one prefix the better. */
  routes(): RouteTable {
    const tables = [...this.#sessions.values()].flatMap(({ table, kept }) =>
      [table ?? [], kept?.table ?? []].flat(),
    );
    const [only] = tables;
    if (only !== undefined && tables.length === 1) return only;
    const builder = createRouteTableBuilder();
    for (const table of tables) for (const family of [4, 6] as const) addAll(builder, table[family]);
    return builder.build();
  }

  #begin(name: string): Session {
    const session: Session = {
      isUp: false,
      info: '',
      counters: '',
      table: undefined,
      kept: undefined,
      quietLooks: 0,
    };
    this.#sessions.set(name, session);
    return session;
  }

  #lose(session: Session, nowMs: number): boolean {
    const { table } = session;
    session.isUp = false;
    session.quietLooks = 0;
    session.table = undefined;
    if (table === undefined) return false;
    // Lost again while it told its routes: what it had before is kept, and no longer for that.
    if (this.#restartMs > 0) session.kept ??= { table, untilMs: nowMs + this.#restartMs };
    return true;
  }

  #letGo(session: Session, nowMs: number): boolean {
    const { kept, table, quietLooks } = session;
    if (kept === undefined) return false;
    const isTold = table !== undefined && quietLooks >= quietLooksMin && this.state === this.#readOf;
    if (!isTold && nowMs < kept.untilMs) return false;
    session.kept = undefined;
    return true;
  }
}

function addAll(builder: ReturnType<typeof createRouteTableBuilder>, routes: FamilyRoutes): void {
  const { family, words, lengths, keys } = routes;
  const wordCount = widthOf(family) / 32;
  for (let row = 0; row < lengths.length; row++) {
    const address = { family, words: [...words.subarray(row * wordCount, (row + 1) * wordCount)] };
    builder.add({ address, length: lengths[row] ?? 0 }, unpackRouteKeys(keys[row] ?? 0));
  }
}
