import type { Records } from '../../../common/adapters/records/port.ts';
import type { Route, RouteTableRef } from '../../../common/contract/documents.ts';
import type { RefusedRoutes, RouteSitePatch, RouteTableReply } from '../../../common/contract/routes.ts';
import { nameRouteTable, type NamedRouteTable } from '../../../common/core/route-table-delta.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded, isCoded } from '../../../common/runtime/errors.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { packRouteTable } from '../../../common/runtime/route-table-packing.ts';
import { judgeRoutes } from '../../core/judge-routes.ts';
import { FlapBook } from '../../core/route-flaps.ts';
import type { RoutePolicy } from '../../core/route-policy.ts';
import { tableOfRoutes } from '../../core/route-rows.ts';
import type { SiteIntervals } from '../../core/site-routes.ts';
import { createListeners } from '../listeners.ts';
import { createTurns } from '../turns.ts';
import type { RoutesNode, RoutesNodes } from './ports.ts';
import { openRouteRecords, type NodeRoutesRecord } from './records.ts';
import { RouteSites } from './sites.ts';
import { openTableStore, type TableStore } from './table-store.ts';
import type { TableWork, TakenRoutes, TakenTable, ToldRoutes } from './table-work.ts';
import { createTables } from './tables.ts';
import { createRouteViews, type RouteViews } from './views.ts';

export interface RoutesOptions {
  records: Records;
  /** Where the tables are kept. */
  directory: string;
  /** Asked at each call, so that it may be wired after the service was made. */
  nodes: () => RoutesNodes;
  /** The other sites of a site's partner. */
  sitesOfPartner: (site: string) => readonly string[];
  clock: Clock;
  log: Log;
}

/** What boxes announce, what is used of it, and what is wrong with it. */
export interface Routes {
  /** Takes a whole table. Errors: ROUTE_TABLE_INVALID, NODE_UNKNOWN, OVERLOADED, DISK_FULL. */
  put(nodeId: string, packed: Buffer): Promise<RouteTableReply>;
  /** Takes the difference from the table told last; ROUTE_TABLE_UNKNOWN where that is another one: it is to be told whole. */
  patch(nodeId: string, packed: Buffer): Promise<RouteTableReply>;
  /** Takes the routes of a box that tells them in heartbeats. */
  list(nodeId: string, routes: readonly Route[]): Promise<RouteTableReply>;
  of(nodeId: string): NodeRoutesRecord | undefined;
  /** The table that steering goes by; undefined where there is nothing in it. */
  used(nodeId: string): RouteTableRef | undefined;
  /** Whether it has ever told some, used or not. */
  hadSome(nodeId: string): boolean;
  /** A table, packed; as a difference to `from` where that is known and both are small. Errors: ROUTE_TABLE_UNKNOWN. */
  packed(name: string, from?: string): Promise<Uint8Array>;
  /** Errors: INVALID, OVERLOADED. Every box of the site is judged anew. */
  patchSite(site: string, patch: RouteSitePatch): Promise<void>;
  /** Where addresses lead by these tables. Errors: ROUTE_TABLE_UNKNOWN. */
  mergeSites(names: readonly string[]): Promise<SiteIntervals>;
  readonly views: RouteViews;
  /** Called with the id of a node of which other routes are used now, or others were refused. */
  onChange(listener: (nodeId: string) => void): () => void;
}

/** Bodies that wait for their turn, all together. */
const waitingBytesMax = 256 * 1024 * 1024;

/** Opens the service with what earlier processes knew. */
export async function createRoutes(options: RoutesOptions): Promise<Routes> {
  const records = openRouteRecords(options.records);
  const sites = new RouteSites(records.sites);
  await sites.load();
  const store = await openTableStore(options.directory);
  const known = new Map<string, NodeRoutesRecord>();
  for await (const { key, value } of records.nodes.all()) known.set(key, value);
  const flaps = new Map<string, FlapBook>();
  for await (const { key, value } of records.flaps.all()) flaps.set(key, FlapBook.from(value.halves));
  return new KeptRoutes(options, { sites, store, known, flaps, records });
}

interface Opened {
  sites: RouteSites;
  store: TableStore;
  /** Of every box that has ever told any, also where the disk has lost the tables: a backup holds none. */
  known: Map<string, NodeRoutesRecord>;
  flaps: Map<string, FlapBook>;
  records: ReturnType<typeof openRouteRecords>;
}

class KeptRoutes implements Routes {
  readonly store: TableStore;
  readonly views: RouteViews;
  readonly #work: TableWork;
  readonly #options: RoutesOptions;
  readonly #opened: Opened;
  readonly #listeners = createListeners<string>();
  readonly #inTurn = createTurns();
  #waitingBytes = 0;

  constructor(options: RoutesOptions, opened: Opened) {
    const { store, sites } = opened;
    this.#options = options;
    this.#opened = opened;
    this.store = store;
    this.#work = createTables({
      directory: options.directory,
      routeCount: () => [...opened.known.values()].reduce((sum, record) => sum + routesOf(record), 0),
      onUnknown: (name) => store.forget(name),
    });
    this.views = createRouteViews({
      ...{ work: this.#work, sites, nodes: options.nodes, clock: options.clock },
      sitesOfPartner: options.sitesOfPartner,
      of: (nodeId) => this.of(nodeId),
      flaps: (nodeId) => opened.flaps.get(nodeId),
    });
  }

  put(nodeId: string, packed: Buffer): Promise<RouteTableReply> {
    return this.#take(packed, () => this.#judge(nodeId, { kind: 'whole', packed }));
  }

  patch(nodeId: string, packed: Buffer): Promise<RouteTableReply> {
    return this.#take(packed, () => {
      const known = this.of(nodeId);
      if (known === undefined) throw coded('ROUTE_TABLE_UNKNOWN', `${nodeId} has told none yet`);
      return this.#judge(nodeId, { kind: 'delta', from: known.told, packed });
    });
  }

  list(nodeId: string, routes: readonly Route[]): Promise<RouteTableReply> {
    return this.#inTurn(async () => {
      const { table, unreadable } = tableOfRoutes(routes);
      const examples = unreadable.slice(0, 10);
      const unread: RefusedRoutes[] =
        unreadable.length === 0 ? [] : [{ refusal: 'unreadable', count: unreadable.length, examples }];
      const named = nameRouteTable(table);
      const { used, told, refused, ...facts } = judgeRoutes(named, this.#policyOf(nodeId));
      const packed = async ({ name, bytes }: NamedRouteTable): Promise<TakenTable> => ({
        name,
        packed: this.store.has(name) ? undefined : await packRouteTable(bytes),
      });
      const tables = { told: await packed(named), used: await packed(used) };
      return this.#accept(nodeId, { ...facts, ...tables, toldCount: told, refused: [...refused, ...unread] });
    });
  }

  used(nodeId: string): RouteTableRef | undefined {
    const known = this.of(nodeId);
    const count = known === undefined ? 0 : known.ipv4 + known.ipv6;
    return known === undefined || count === 0 ? undefined : { name: known.used, count, open: known.open };
  }

  hadSome(nodeId: string): boolean {
    const known = this.#opened.known.get(nodeId);
    return known !== undefined && (known.hadSome ?? known.ipv4 + known.ipv6 + known.refused.length > 0);
  }

  mergeSites(names: readonly string[]): Promise<SiteIntervals> {
    return this.#work.mergeSites(names);
  }

  async packed(name: string, from?: string): Promise<Uint8Array> {
    const isKnown = from !== undefined && this.store.has(from) && this.store.has(name);
    const delta = isKnown ? await this.#work.difference(from, name) : undefined;
    const packed = delta ?? (await this.store.packed(name));
    if (packed === undefined) throw coded('ROUTE_TABLE_UNKNOWN', name);
    return packed;
  }

  of(nodeId: string): NodeRoutesRecord | undefined {
    const known = this.#opened.known.get(nodeId);
    // What the disk has lost is not known any more: the box tells it again.
    const isHeld = known !== undefined && this.store.has(known.told) && this.store.has(known.used);
    return isHeld ? known : undefined;
  }

  async patchSite(site: string, patch: RouteSitePatch): Promise<void> {
    await this.#opened.sites.patch(site, patch);
    for (const { id } of this.#options
      .nodes()
      .serving()
      .filter((node) => node.site === site)) {
      await this.#inTurn(async () => {
        const known = this.of(id);
        if (known !== undefined) await this.#judge(id, { kind: 'kept', name: known.told });
      });
    }
  }

  onChange(listener: (nodeId: string) => void): () => void {
    return this.#listeners.add(listener);
  }

  /** One at a time: a full table takes tens of megabytes while it is judged. */
  async #take<T>(packed: Buffer, work: () => Promise<T>): Promise<T> {
    if (this.#waitingBytes + packed.length > waitingBytesMax)
      throw coded('OVERLOADED', { detail: 'many boxes tell their routes at once', retryAfterMs: 2000 });
    this.#waitingBytes += packed.length;
    try {
      return await this.#inTurn(work);
    } finally {
      this.#waitingBytes -= packed.length;
    }
  }

  async #judge(nodeId: string, told: ToldRoutes): Promise<RouteTableReply> {
    const before = this.of(nodeId);
    const kept = before === undefined ? [] : [before.told, before.used];
    return this.#accept(nodeId, await this.#work.take(told, this.#policyOf(nodeId), kept));
  }

  /** Errors: NODE_UNKNOWN. */
  #policyOf(nodeId: string): RoutePolicy {
    return this.#opened.sites.policy(this.#node(nodeId).site);
  }

  #node(nodeId: string): RoutesNode {
    const node = this.#options.nodes().servingNode(nodeId);
    if (node === undefined) throw coded('NODE_UNKNOWN', nodeId);
    return node;
  }

  async #accept(nodeId: string, taken: TakenRoutes): Promise<RouteTableReply> {
    const { records, known } = this.#opened;
    const node = this.#node(nodeId);
    const { told, used, toldCount, ipv4, ipv6, open } = taken;
    const refused = taken.refused.map((one) => ({ ...one, examples: [...one.examples] }));
    const before = this.of(nodeId);
    const hadSome = toldCount + refused.length > 0 || this.hadSome(nodeId);
    const facts = { told: told.name, used: used.name, ipv4, ipv6, open, refused, hadSome };
    if (before === undefined || !isSame(before, facts)) {
      await this.#keep(told);
      await this.#keep(used);
      await this.#noteFlaps(nodeId, before, told.name);
      const record = { ...facts, changedAtMs: this.#options.clock.nowMs() };
      await records.nodes.put(nodeId, record);
      known.set(nodeId, record);
      await this.#forgetOthers();
      this.#tellOf(node, before, record);
    }
    return { name: told.name, routes: ipv4 + ipv6, refused };
  }

  async #keep({ name, packed }: TakenTable): Promise<void> {
    if (packed !== undefined) await this.store.put(name, packed);
  }

  async #noteFlaps(nodeId: string, before: NodeRoutesRecord | undefined, told: string): Promise<void> {
    if (before === undefined || before.told === told) return;
    const changed = await this.#work.changed(before.told, told).catch(nothingWhereLost);
    if (changed === undefined) return;
    const { flaps, records } = this.#opened;
    const book = flaps.get(nodeId) ?? new FlapBook();
    flaps.set(nodeId, book);
    book.note(changed, this.#options.clock.nowMs());
    await records.flaps.put(nodeId, { halves: book.stored() });
  }

  /** Boxes that were revoked leave nothing behind. */
  async #forgetOthers(): Promise<void> {
    const { known, flaps, records } = this.#opened;
    const nodes = this.#options.nodes();
    for (const nodeId of known.keys()) {
      if (nodes.servingNode(nodeId) !== undefined) continue;
      await records.nodes.remove(nodeId);
      await records.flaps.remove(nodeId);
      known.delete(nodeId);
      flaps.delete(nodeId);
    }
    await this.store.retain(new Set([...known.values()].flatMap(({ told, used }) => [told, used])));
  }

  #tellOf({ id }: RoutesNode, before: NodeRoutesRecord | undefined, now: NodeRoutesRecord): void {
    const { log } = this.#options;
    const refused = refusedOf(now);
    if (refused > 0 && (before === undefined || refusedOf(before) !== refused))
      log.warn(
        { node: id, refused: now.refused },
        'routes of a box are refused; `nearcast routes lint` explains',
      );
    this.#listeners.tell(id);
  }
}

/** What changed since a table that the disk has lost is not known. */
function nothingWhereLost(error: unknown): undefined {
  if (!isCoded(error, 'ROUTE_TABLE_UNKNOWN')) throw error;
  return undefined;
}

function refusedOf({ refused }: NodeRoutesRecord): number {
  return refused.reduce((sum, { count }) => sum + count, 0);
}

/** How many routes a box has told. */
function routesOf(record: NodeRoutesRecord): number {
  return record.ipv4 + record.ipv6 + refusedOf(record);
}

function isSame(before: NodeRoutesRecord, now: Omit<NodeRoutesRecord, 'changedAtMs'>): boolean {
  const { told, used, refused } = before;
  return told === now.told && used === now.used && JSON.stringify(refused) === JSON.stringify(now.refused);
}
