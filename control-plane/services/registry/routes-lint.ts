import type { Route } from '../../../common/contract/documents.ts';
import { parsePrefix } from '../../../common/core/ip-address.ts';

/** A node's routes as they may be used, and what was wrong with the rest. */
export interface LintedRoutes {
  readonly routes: readonly Route[];
  /** For people; empty when nothing was dropped. */
  readonly reasons: readonly string[];
}

/** Drops default routes and unreadable prefixes (algorithms: steering, step 2), and says so. */
export function lintRoutes(routes: readonly Route[]): LintedRoutes {
  let defaults = 0;
  let unreadable = 0;
  const kept = routes.filter(({ prefix }) => {
    const parsed = parsePrefix(prefix);
    if (parsed === undefined) unreadable++;
    else if (parsed.length === 0) defaults++;
    return parsed !== undefined && parsed.length > 0;
  });
  const reasons: string[] = [];
  if (defaults > 0) reasons.push(`ROUTE_DEFAULT: ${String(defaults)} default routes were dropped`);
  if (unreadable > 0)
    reasons.push(`ROUTE_UNREADABLE: ${String(unreadable)} routes with an unreadable prefix were dropped`);
  return { routes: kept, reasons };
}
