import { backoffMs } from '../../common/core/backoff.ts';
import type { RouteTableReply } from '../../common/contract/routes.ts';
import {
  encodeRouteTableDelta,
  nameRouteTable,
  type NamedRouteTable,
} from '../../common/core/route-table-delta.ts';
import { countRoutes, type RouteTable } from '../../common/core/route-table.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { isCoded } from '../../common/runtime/errors.ts';
import type { Log } from '../../common/runtime/log.ts';
import { packRouteTable } from '../../common/runtime/route-table-packing.ts';
import { Wakeup } from '../fill/wakeup.ts';
import type { UplinkRecords } from '../metrics.ts';
import type { RouteListener } from './route-source.ts';

/** What tells routes to the control plane. */
export interface RouteLink {
  /** All routes; or, as `delta`, what changed since the table that was acknowledged last. */
  routeTable(packed: Buffer, kind: 'full' | 'delta', signal: AbortSignal): Promise<RouteTableReply>;
}

export interface RouteUplinkOptions {
  link: RouteLink;
  clock: Clock;
  log: Log;
  records: Pick<UplinkRecords, 'routes'>;
}

/** Between two tables; what changes meanwhile goes with the next. */
const pauseMs = 100;
const retries = { firstMs: 1000, maxMs: 30_000 };
const idleMs = 60_000;
const reasonLengthMax = 200;

/**
 * Tells the control plane the routes of this box: whole at first, then what changed since the table that was acknowledged; whole again
 * where the control plane has lost that.
 */
export class RouteUplink implements RouteListener {
  readonly #options: RouteUplinkOptions;
  readonly #wakeup: Wakeup;
  #current: NamedRouteTable | undefined;
  #acknowledged: NamedRouteTable | undefined;
  #acknowledgedAtMs = -Infinity;
  #sourceReasons: readonly string[] = [];
  #isSending = false;
  /** Whether a heartbeat's reply has said what the control plane holds, and whether it holds a table. */
  #isHeard = false;
  #holdsSome = false;

  constructor(options: RouteUplinkOptions) {
    this.#options = options;
    this.#wakeup = new Wakeup(options.clock);
  }

  /** How many routes were learned. */
  get routeCount(): number {
    return this.#current === undefined ? 0 : countRoutes(this.#current.table);
  }

  routes(table: RouteTable): void {
    const next = nameRouteTable(table);
    if (next.name === this.#current?.name) return;
    this.#current = next;
    this.#wakeup.notify();
  }

  reasons(reasons: readonly string[]): void {
    this.#sourceReasons = reasons.map((reason) => reason.slice(0, reasonLengthMax));
  }

  /** What is wrong with the source of the routes. */
  get sourceReasons(): readonly string[] {
    return this.#sourceReasons;
  }

  /** Takes from a heartbeat's reply which table the control plane holds; the heartbeat was sent at `sentAtMs` of wall time. */
  heard(held: string | undefined, sentAtMs: number): void {
    // A heartbeat from before the last table arrived says nothing about it.
    if (this.#isSending || sentAtMs <= this.#acknowledgedAtMs) return;
    const isFirst = !this.#isHeard;
    this.#isHeard = true;
    this.#holdsSome = held !== undefined;
    if (held !== undefined && held === this.#current?.name) this.#acknowledged = this.#current;
    if (held !== this.#acknowledged?.name) this.#acknowledged = undefined;
    else if (!isFirst) return;
    this.#wakeup.notify();
  }

  /** Tells until the signal is aborted; the control plane may go and come back. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    let failures = 0;
    while (!signal.aborted) {
      const current = this.#current;
      if (current === undefined || this.#isKnown(current)) {
        await this.#wakeup.wait(idleMs, signal);
      } else if (await this.#tell(current, signal)) {
        failures = 0;
        await clock.sleep(pauseMs, { signal }).catch(() => undefined);
      } else {
        await this.#wakeup.wait(backoffMs(retries, failures++), signal);
      }
    }
  }

  /** A box without routes has nothing to tell where the control plane holds none of it. */
  #isKnown(current: NamedRouteTable): boolean {
    if (this.#acknowledged !== undefined) return current.name === this.#acknowledged.name;
    return countRoutes(current.table) === 0 && (!this.#isHeard || !this.#holdsSome);
  }

  async #tell(current: NamedRouteTable, signal: AbortSignal): Promise<boolean> {
    const { link, clock, log, records } = this.#options;
    const base = this.#acknowledged;
    const kind = base === undefined ? 'full' : 'delta';
    const bytes = base === undefined ? current.bytes : encodeRouteTableDelta(base, current);
    this.#isSending = true;
    try {
      const reply = await link.routeTable(await packRouteTable(bytes), kind, signal);
      this.#acknowledged = current;
      this.#acknowledgedAtMs = clock.nowMs();
      records.routes(kind, 'acknowledged');
      noteRefused(log, reply);
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      records.routes(kind, 'failed');
      // Whatever it holds by now, it is not what the difference was to.
      const isLost = kind === 'delta' && isCoded(error) && error.code.startsWith('ROUTE_TABLE_');
      if (isLost) this.#acknowledged = undefined;
      else log.warn({ err: error }, 'the routes could not be told to the control plane; it is tried again');
      return isLost;
    } finally {
      this.#isSending = false;
    }
  }
}

function noteRefused(log: Log, { routes, refused }: RouteTableReply): void {
  if (refused.length > 0)
    log.warn({ routes, refused }, 'the control plane uses some of the routes of this box and refuses others');
}
