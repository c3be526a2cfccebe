import type { DocumentPayload, SteeringMap } from '../../common/contract/documents.ts';
import { coded, valueOf } from '../../common/runtime/errors.ts';
import { compileParts, openView, type SteeringView, type ViewParts } from '../core/view.ts';

/**
 * The view of a map of the past. `before` is one that was compiled earlier: what both have in common is not made again.
 *
 * @throws HISTORY_GONE where a table that it names is not kept any more, ROUTE_TABLE_INVALID, HOLDINGS_INVALID.
 */
export async function compilePast(
  payload: DocumentPayload<SteeringMap>,
  readTable: (name: string) => Promise<Uint8Array | undefined>,
  before?: { readonly payload: DocumentPayload<SteeringMap>; readonly view: ViewParts },
): Promise<SteeringView> {
  const unchanged = before === undefined ? {} : unchangedParts(before, payload.body);
  const tables = new Map<string, Uint8Array>();
  for (const name of tableNames(payload.body)) {
    const bytes = await readTable(name);
    if (bytes !== undefined) tables.set(name, bytes);
    else if (unchanged.routes === undefined)
      throw coded('HISTORY_GONE', `table ${name} of map ${payload.sequence} is not kept any more`);
  }
  return openView(valueOf(compileParts(payload, (name) => tables.get(name), unchanged)));
}

function unchangedParts(
  { payload, view }: { payload: DocumentPayload<SteeringMap>; view: ViewParts },
  { appliances, holdings }: SteeringMap,
): Partial<Pick<ViewParts, 'routes' | 'holdings'>> {
  const same = (box: SteeringMap['appliances'][number], index: number): boolean =>
    payload.body.appliances[index]?.id === box.id &&
    payload.body.appliances[index].routeTable?.name === box.routeTable?.name;
  if (payload.body.appliances.length !== appliances.length || !appliances.every(same)) return {};
  return {
    routes: view.routes,
    ...(holdings?.name === payload.body.holdings?.name && { holdings: view.holdings }),
  };
}

function tableNames({ appliances, holdings }: SteeringMap): Set<string> {
  const names = appliances.flatMap(({ routeTable }) => routeTable?.name ?? []);
  return new Set(holdings === undefined ? names : [...names, holdings.name]);
}
