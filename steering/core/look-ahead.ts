import type { Address } from '../../common/core/ip-address.ts';
import { openPrefixTable, type PrefixTable } from '../../common/core/prefix-table.ts';
import type { SteeringView } from './view.ts';

/**
 * Brings what will be looked up of clients to where a processor has it at hand. A lookup in a full table is two waits for memory; those
 * of several clients are nearly one where nothing else stands between them.
 */
export class LookAhead {
  /** Of what was found last; what nobody could read would not be looked up. */
  found = 0;
  readonly #tables: Readonly<Record<4 | 6, PrefixTable>>;

  constructor({ routes }: SteeringView) {
    this.#tables = { 4: openPrefixTable(routes[4]), 6: openPrefixTable(routes[6]) };
  }

  /** Looks up the first of these clients. */
  to(clients: readonly Address[], count: number): void {
    let found = 0;
    for (let at = 0; at < count; at++) {
      const client = clients[at];
      if (client !== undefined) found ^= this.#tables[client.family].valueOf(client.words);
    }
    this.found = found;
  }
}
