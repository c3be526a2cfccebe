import type { DocumentPayload, SteeringMap } from '../../common/contract/documents.ts';
import { coded, valueOf } from '../../common/runtime/errors.ts';
import { compileParts, openView, tableNamesOf, unchangedParts, type SteeringView } from '../core/view.ts';

/**
 * The view of a map of the past. `before` is one that was compiled earlier: what both have in common is not made again.
 *
 * @throws HISTORY_GONE where a table that it names is not kept any more, ROUTE_TABLE_INVALID, HOLDINGS_INVALID.
 */
export async function compilePast(
  payload: DocumentPayload<SteeringMap>,
  readTable: (name: string) => Promise<Uint8Array | undefined>,
  before?: { readonly payload: DocumentPayload<SteeringMap>; readonly view: SteeringView },
): Promise<SteeringView> {
  const { body } = payload;
  const unchanged = unchangedParts(before && { body: before.payload.body, parts: before.view }, body);
  const tables = new Map<string, Uint8Array>();
  for (const name of tableNamesOf(body, unchanged)) {
    const bytes = await readTable(name);
    if (bytes === undefined)
      throw coded('HISTORY_GONE', `table ${name} of map ${payload.sequence} is not kept any more`);
    tables.set(name, bytes);
  }
  return openView(valueOf(compileParts(payload, (name) => tables.get(name), unchanged)));
}
