import type { RouteClass } from '../../../common/contract/documents.ts';
import { routeClasses } from '../../../common/core/route-table.ts';

/** Gives the class of a route, as an index into `routeClasses`, by the communities that it carries. */
export interface RouteClassifier {
  /** Without rules nobody need look for communities. */
  readonly hasRules: boolean;
  /** The class of the first rule of which the route has the community; `written` as `65001:100` or `65001:1:2`. */
  classOrder(written: readonly string[]): number;
}

/** `65001:100=private`: routes with this community (RFC 1997) or large community (RFC 8092) are of this class. */
export const communityRulePattern = `^\\d{1,10}(:\\d{1,10}){1,2}=(${routeClasses.join('|')})$`;

/** Makes a classifier of rules in their order of precedence, each as `communityRulePattern` says; routes without any are `otherwise`. */
export function createRouteClassifier(rules: readonly string[], otherwise: RouteClass): RouteClassifier {
  const byCommunity = new Map<string, { rank: number; classOrder: number }>();
  for (const [rank, rule] of rules.entries()) {
    const [community = '', name = ''] = rule.split('=');
    const classOrder = routeClasses.findIndex((one) => one === name);
    if (!byCommunity.has(community)) byCommunity.set(community, { rank, classOrder });
  }
  const fallback = { rank: Infinity, classOrder: routeClasses.indexOf(otherwise) };
  return {
    hasRules: rules.length > 0,
    classOrder(written) {
      let best = fallback;
      for (const community of written) {
        const found = byCommunity.get(community);
        if (found !== undefined && found.rank < best.rank) best = found;
      }
      return best.classOrder;
    },
  };
}
