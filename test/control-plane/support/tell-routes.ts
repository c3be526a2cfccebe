import { routeDeltaType, routeTableType } from '../../../common/contract/routes.ts';
import type { Route } from '../../../common/contract/documents.ts';
import {
  encodeRouteTableDelta,
  nameRouteTable,
  type NamedRouteTable,
} from '../../../common/core/route-table-delta.ts';
import { packRouteTable } from '../../../common/runtime/route-table-packing.ts';
import { tableOfRoutes } from '../../../control-plane/core/route-rows.ts';
import type { Answer, TestNode } from './control-plane.ts';

/** Prefixes as a table: each embedded, two hops away, unless it says more. */
export function tableOf(...routes: (string | Partial<Route>)[]): NamedRouteTable {
  const whole = routes.map((route) => ({
    prefix: '',
    asPathLength: 2,
    class: 'embedded' as const,
    ...(typeof route === 'string' ? { prefix: route } : route),
  }));
  return nameRouteTable(tableOfRoutes(whole).table);
}

/** Tells all routes of a node. */
export async function tellRoutes(node: TestNode, { bytes }: NamedRouteTable): Promise<Answer> {
  return tellPacked(node, 'PUT', await packRouteTable(bytes));
}

/** Tells what makes one table of another. */
export async function tellDelta(node: TestNode, from: NamedRouteTable, to: NamedRouteTable): Promise<Answer> {
  return tellPacked(node, 'PATCH', await packRouteTable(encodeRouteTableDelta(from, to)));
}

/** Sends bytes as they are. */
export function tellPacked(node: TestNode, method: 'PUT' | 'PATCH', body: Buffer): Promise<Answer> {
  const headers = { 'content-type': method === 'PUT' ? routeTableType : routeDeltaType };
  return node.call(`${method} /v1/nodes/${node.id}/route-table`, { body, headers });
}
