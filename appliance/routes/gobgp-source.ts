import { execFile, spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';

import { Type } from '../../common/contract/type.ts';
import { parsePrefix } from '../../common/core/ip-address.ts';
import {
  createRouteTableBuilder,
  packRouteKeys,
  unpackRouteKeys,
  type RouteTable,
} from '../../common/core/route-table.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { coded, isCoded, toCoded, valueOf } from '../../common/runtime/errors.ts';
import type { Log } from '../../common/runtime/log.ts';
import { parseJsonAs } from '../../common/runtime/parse.ts';
import { JsonObjects } from '../core/routes/json-objects.ts';
import type { RouteClassifier } from '../core/routes/route-classes.ts';
import { isOver } from '../fill/wakeup.ts';
import { readGobgpPath, type GobgpChange } from './gobgp-paths.ts';
import type { RouteListener, RouteSource } from './route-source.ts';

export interface GobgpSourceOptions {
  /** `host:port` of gobgpd's API. */
  address: string;
  classifier: RouteClassifier;
  /** What was learned is kept for so long when gobgpd is gone. */
  restartMs: number;
  /** Routes above so many are not told, but counted. */
  routesMax: number;
  clock: Clock;
  log: Log;
}

const tickMs = 200;
/** Changes that pour in are told so often. */
const pouringMs = 1500;
/** gobgpd is asked for its sessions so often; that it answers says that it lives. */
const lookMs = 1000;
const answerMs = 5000;
const answerBytesMax = 16 * 1024 * 1024;
/** Making a table takes at most a fifth of the time, however fast routes change. */
const restFactor = 4;
/** Where some routes were left out and others are withdrawn, all are read anew, so often at most. */
const rereadMs = 5000;
const ESTABLISHED = 6;

const Neighbors = Type.Array(
  Type.Object({
    conf: Type.Object({ neighbor_address: Type.Optional(Type.String()) }),
    state: Type.Optional(Type.Object({ session_state: Type.Optional(Type.Integer()) })),
  }),
);

const run = promisify(execFile);

/**
 * Routes of GoBGP by its own client, `gobgp monitor global rib`: every best path as it comes and goes. Those of a lost session gobgpd
 * withdraws itself, or keeps as its own graceful restart says.
 */
export function createGobgpSource(options: GobgpSourceOptions): RouteSource {
  return {
    run: (listener, signal) => new GobgpFollower(options, listener).run(signal),
  };
}

class GobgpFollower {
  readonly #options: GobgpSourceOptions;
  readonly #listener: RouteListener;
  readonly #client: readonly string[];
  /** Keys by prefix as it was printed; some 100 bytes a route. */
  #routes = new Map<string, number>();
  #dropped = 0;
  /** Some were withdrawn since, so that there is room again. */
  #hasRoom = false;
  /** Paths that are none, and prefixes with host bits. */
  #unreadable = 0;
  /** Changes that came since the monitor began, and how many were told. */
  #changes = 0;
  #toldChanges = -1;
  #down: readonly string[] = [];
  #lostAtMs: number | undefined;
  #restUntilMs = 0;

  constructor(options: GobgpSourceOptions, listener: RouteListener) {
    this.#options = options;
    this.#listener = listener;
    const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(options.address) ?? [];
    this.#client = ['-u', host, '-p', port, '-j'];
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, restartMs } = this.#options;
    while (!signal.aborted) {
      try {
        await this.#follow(signal);
      } catch (error) {
        if (isOver(signal)) return;
        const nowMs = clock.monotonicMs();
        if (this.#lostAtMs === undefined)
          log.warn({ err: error }, 'GoBGP cannot be asked for routes; it is tried again');
        this.#lostAtMs ??= nowMs;
        if (nowMs - this.#lostAtMs >= restartMs) this.#listener.routes(createRouteTableBuilder().build());
        this.#listener.reasons([`ROUTE_SOURCE_UNAVAILABLE: ${toCoded(error).message}`]);
      }
      await clock.sleep(lookMs / 2, { signal }).catch(() => undefined);
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    await this.#look(signal);
    this.#routes = new Map();
    this.#dropped = 0;
    this.#hasRoom = false;
    this.#unreadable = 0;
    this.#changes = 0;
    this.#toldChanges = -1;
    const ended = new AbortController();
    const stop = AbortSignal.any([signal, ended.signal]);
    const child = spawn('gobgp', [...this.#client, 'monitor', 'global', 'rib', '--current'], {
      stdio: ['ignore', 'pipe', 'ignore'],
      signal: stop,
    });
    const told = this.#listen(child);
    const looked = this.#keepLooking(stop);
    try {
      await Promise.race([told, looked]);
    } finally {
      ended.abort();
      await Promise.allSettled([told, looked]);
    }
  }

  async #listen(child: ChildProcessByStdio<null, Readable, null>): Promise<never> {
    const failed = once(child, 'error').then(([cause]) => {
      throw coded('ROUTE_SOURCE_UNAVAILABLE', { detail: 'the program gobgp cannot be run', cause });
    });
    const objects = new JsonObjects();
    const read = async (): Promise<never> => {
      child.stdout.setEncoding('utf8');
      for await (const piece of child.stdout)
        for (const text of valueOf(objects.push(String(piece)))) this.#take(text);
      throw coded('ROUTE_SOURCE_UNAVAILABLE', 'GoBGP tells no more');
    };
    return Promise.race([failed, read()]);
  }

  #take(text: string): void {
    const change = this.#read(text);
    if (change === undefined) return;
    const { prefix, keys } = change;
    this.#changes++;
    if (keys === undefined) {
      this.#routes.delete(prefix);
      this.#hasRoom = this.#dropped > 0;
    } else if (parsePrefix(prefix) === undefined) this.#unreadable++;
    else if (this.#routes.size < this.#options.routesMax || this.#routes.has(prefix))
      this.#routes.set(prefix, packRouteKeys(keys));
    else this.#dropped++;
  }

  /** One path that is none takes no others along: it is counted. */
  #read(text: string): GobgpChange | undefined {
    try {
      return readGobgpPath(text, this.#options.classifier);
    } catch (error) {
      if (!isCoded(error, 'ROUTE_SOURCE_UNREADABLE')) throw error;
      this.#unreadable++;
      return undefined;
    }
  }

  /**
   * Asks for the sessions and tells the routes that came meanwhile, until all are to be read anew; rejects when gobgpd does not
   * answer.
   */
  async #keepLooking(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    let lookedMs = clock.monotonicMs();
    const startedMs = lookedMs;
    let rereadAtMs = startedMs + rereadMs;
    let toldMs = lookedMs;
    let changes = 0;
    for (;;) {
      await clock.sleep(tickMs, { signal });
      const nowMs = clock.monotonicMs();
      const isQuiet = changes === this.#changes && changes > 0;
      changes = this.#changes;
      // While changes pour in, as at first, or nothing has come yet, it may be the middle of a table.
      if (this.#toldChanges === changes) toldMs = nowMs;
      else if (nowMs >= this.#restUntilMs && (isQuiet || nowMs - toldMs >= pouringMs)) {
        // Reading takes at most a fifth of the time.
        if (this.#toldChanges < 0)
          rereadAtMs = Math.max(rereadAtMs, nowMs + restFactor * (nowMs - startedMs));
        this.#tell(nowMs);
      }
      if (this.#hasRoom && isQuiet && nowMs >= rereadAtMs) return;
      if (nowMs - lookedMs < lookMs) continue;
      lookedMs = nowMs;
      await this.#look(signal);
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    let text: string;
    try {
      const limits = { timeout: answerMs, maxBuffer: answerBytesMax, signal };
      text = (await run('gobgp', [...this.#client, 'neighbor'], limits)).stdout;
    } catch (cause) {
      throw coded('ROUTE_SOURCE_UNAVAILABLE', {
        detail: `GoBGP at ${this.#options.address} does not answer`,
        cause,
      });
    }
    const neighbors = parseJsonAs(Neighbors, text, {
      what: 'the sessions of GoBGP',
      code: 'ROUTE_SOURCE_UNREADABLE',
    });
    this.#down = neighbors
      .filter(({ state }) => state?.session_state !== ESTABLISHED)
      .map(({ conf }) => conf.neighbor_address ?? 'a neighbor');
    this.#tellReasons();
  }

  #tell(nowMs: number): void {
    const { clock } = this.#options;
    this.#toldChanges = this.#changes;
    this.#lostAtMs = undefined;
    this.#listener.routes(this.#table());
    this.#restUntilMs = clock.monotonicMs() + restFactor * (clock.monotonicMs() - nowMs);
  }

  #table(): RouteTable {
    const builder = createRouteTableBuilder();
    for (const [text, key] of this.#routes) {
      const prefix = parsePrefix(text);
      if (prefix !== undefined) builder.add(prefix, unpackRouteKeys(key));
    }
    return builder.build();
  }

  #tellReasons(): void {
    this.#listener.reasons([
      ...(this.#down.length === 0 ? [] : [`ROUTE_SESSION_DOWN: ${this.#down.join(', ')}`]),
      ...(this.#dropped === 0
        ? []
        : [`ROUTES_CAPPED: GoBGP has more than ${this.#options.routesMax} routes, and these are told`]),
      ...(this.#unreadable === 0
        ? []
        : [`ROUTE_UNREADABLE: ${this.#unreadable} routes have no prefix or path that can be read`]),
    ]);
  }
}
