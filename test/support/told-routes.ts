import type { Route } from '../../common/contract/documents.ts';
import type { RouteListener } from '../../appliance/routes/route-source.ts';
import { listRoutes } from '../../control-plane/core/route-rows.ts';

/** What a source of routes has told, to be waited for. */
export interface Told {
  readonly listener: RouteListener;
  readonly routes: readonly Required<Route>[];
  readonly reasons: readonly string[];
  /** How many tables were told. */
  readonly tables: number;
  /** Resolves once the routes told are so. */
  until(isSo: (routes: readonly Required<Route>[]) => boolean): Promise<void>;
  untilReason(pattern: RegExp): Promise<void>;
  /** Resolves once nothing is wrong. */
  untilNoReason(): Promise<void>;
}

const waitMs = 20_000;

/** Listens to a source. */
export function createTold(): Told {
  let routes: readonly Required<Route>[] | undefined;
  let reasons: readonly string[] = [];
  let tables = 0;
  const waiting = new Set<() => void>();
  const wake = (): void => {
    for (const check of waiting) check();
  };
  const until = (what: string, isSo: () => boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.delete(check);
        reject(
          new Error(`waited in vain for ${what}; told: ${JSON.stringify([routes?.slice(0, 10), reasons])}`),
        );
      }, waitMs);
      const check = (): void => {
        if (!isSo()) return;
        clearTimeout(timer);
        waiting.delete(check);
        resolve();
      };
      waiting.add(check);
      check();
    });
  return {
    listener: {
      routes: (table) => {
        routes = listRoutes(table);
        tables++;
        wake();
      },
      reasons: (told) => {
        reasons = told;
        wake();
      },
    },
    get routes() {
      return routes ?? [];
    },
    get reasons() {
      return reasons;
    },
    get tables() {
      return tables;
    },
    until: (isSo) => until('routes', () => routes !== undefined && isSo(routes)),
    untilReason: (pattern) => until(String(pattern), () => reasons.some((reason) => pattern.test(reason))),
    untilNoReason: () => until('no reason', () => reasons.length === 0),
  };
}
