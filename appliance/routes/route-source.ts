import type { RouteTable } from '../../common/core/route-table.ts';

/** What a source of routes tells. */
export interface RouteListener {
  /** All routes that there are now. */
  routes(table: RouteTable): void;
  /** What is wrong with the source, as reasons of a heartbeat; empty when nothing is. */
  reasons(reasons: readonly string[]): void;
}

/** Where a box learns its routes. */
export interface RouteSource {
  /** Tells routes until the signal is aborted. A source that fails says so and is tried again; it never rejects. */
  run(listener: RouteListener, signal: AbortSignal): Promise<void>;
}
