import type { LRUCache } from 'lru-cache';

import { growingCache } from '../../../common/core/growing-cache.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { Calls } from '../../apart/interface.ts';
import { askedAtOnce, type eventsWorld } from './interfaces.ts';

export interface KnownWorldOptions {
  readonly world: Calls<typeof eventsWorld>;
  /** How many addresses are remembered. */
  readonly clientsMax: number;
  readonly clock: Clock;
}

/** A node that is enrolled; of a box its site. */
interface KnownNode {
  readonly site: string | undefined;
}

// Where a viewer is changes with routes, which are looked at every ten minutes; who is enrolled hardly ever.
const keptMs = 60_000;
const nodesMax = 20_000;

/** What the intake knows of where viewers and nodes are, as of a minute ago at most: a player tells something every few seconds. */
export class KnownWorld {
  readonly #options: KnownWorldOptions;
  readonly #sites: LRUCache<string, { readonly site: string | undefined }>;
  readonly #nodes: LRUCache<string, { readonly node: KnownNode | undefined }>;

  constructor(options: KnownWorldOptions) {
    this.#options = options;
    // At 0 the cache would take a time for none.
    const perf = { now: () => 1 + options.clock.monotonicMs() };
    const kept = { ttl: keptMs, ttlResolution: 0, perf };
    this.#sites = growingCache(options.clientsMax, kept);
    this.#nodes = growingCache(nodesMax, kept);
  }

  /** At whose site a viewer is, by its address; undefined where no route tells. Errors: UNAVAILABLE. */
  async siteOf(client: string): Promise<string | undefined> {
    const known = this.#sites.get(client);
    if (known !== undefined) return known.site;
    const { site } = await this.#options.world.siteOf({ client });
    this.#sites.set(client, { site });
    return site;
  }

  /** Those of these nodes that are enrolled. Errors: UNAVAILABLE. */
  async nodes(ids: Iterable<string>): Promise<ReadonlyMap<string, KnownNode>> {
    const found = new Map<string, KnownNode>();
    const unknown: string[] = [];
    for (const id of new Set(ids)) {
      const known = this.#nodes.get(id);
      if (known === undefined) unknown.push(id);
      else if (known.node !== undefined) found.set(id, known.node);
    }
    for (let from = 0; from < unknown.length; from += askedAtOnce) {
      const asked = unknown.slice(from, from + askedAtOnce);
      const { nodes } = await this.#options.world.nodes({ ids: asked });
      const enrolled = new Map(nodes.map(({ id, site }) => [id, { site }]));
      for (const id of asked) this.#nodes.set(id, { node: enrolled.get(id) });
      for (const [id, node] of enrolled) found.set(id, node);
    }
    return found;
  }

  /** What titles are called, by their bundles. Errors: UNAVAILABLE. */
  async titleNames(bundles: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const { names } = await this.#options.world.titleNames({ bundles: [...bundles] });
    return new Map(names.map(({ bundle, name }) => [bundle, name]));
  }
}
