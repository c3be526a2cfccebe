import type { RouteTable } from '../../common/core/route-table.ts';

/** No box is told more: a full table of both families is some 1.2 million prefixes. */
export const learnedRoutesMax = 2_000_000;

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
