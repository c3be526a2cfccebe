import { encodeHoldings, holdingsRowBytes } from '../../../common/core/holdings-codec.ts';
import { nameOfRouteBytes } from '../../../common/core/route-table-codec.ts';
import type { MapBundle, MapNode } from './ports.ts';

/** Who holds which bundle whole, in its canonical form. */
export interface HoldingsTable {
  readonly name: string;
  readonly count: number;
  readonly bytes: Uint8Array;
}

interface Known {
  readonly rows: ReadonlyMap<string, number>;
  readonly columns: ReadonlyMap<string, { readonly index: number; readonly holdingsVersion: number }>;
  readonly bits: Uint8Array;
  readonly rowBytes: number;
  readonly table: HoldingsTable;
}

/**
 * Keeps a bit for each bundle and node: whether the node holds all of it. Only what may have changed is looked at again: most
 * maps differ from the one before by the holdings of one node. An origin reads through to the blobs and so holds every
 * published bundle (ADR 9).
 */
export function createHoldingsMatrix() {
  let known: Known | undefined;
  return (nodes: readonly MapNode[], bundles: readonly MapBundle[]): HoldingsTable => {
    const sorted = [...bundles].sort((a, b) => (a.bundle < b.bundle ? -1 : 1));
    const before = known;
    if (before !== undefined && isSame(before, nodes, sorted)) return before.table;
    const rowBytes = holdingsRowBytes(nodes.length);
    const bits = new Uint8Array(sorted.length * rowBytes);
    const oldColumns = nodes.map(({ id, holdingsVersion }) => {
      const column = before?.columns.get(id);
      return column?.holdingsVersion === holdingsVersion ? column.index : -1;
    });
    for (const [row, bundle] of sorted.entries()) {
      const oldRow = before?.rows.get(bundle.bundle) ?? -1;
      for (const [index, node] of nodes.entries()) {
        const oldColumn = oldRow < 0 ? -1 : (oldColumns[index] ?? -1);
        const holds =
          before !== undefined && oldColumn >= 0
            ? bitAt(before, oldRow, oldColumn)
            : holdsWhole(node, bundle);
        if (holds) {
          const at = row * rowBytes + (index >>> 3);
          bits[at] = (bits[at] ?? 0) | (1 << (index & 7));
        }
      }
    }
    const names = sorted.map(({ bundle }) => bundle);
    const bytes = encodeHoldings(names, nodes.length, bits);
    known = {
      rows: new Map(names.map((name, row) => [name, row])),
      columns: new Map(nodes.map(({ id, holdingsVersion }, index) => [id, { index, holdingsVersion }])),
      ...{ bits, rowBytes },
      table: { name: nameOfRouteBytes(bytes), count: names.length, bytes },
    };
    return known.table;
  };
}

function holdsWhole(node: MapNode, { files }: MapBundle): boolean {
  return node.role === 'origin' || files.every(({ file }) => node.held.has(file));
}

function bitAt({ bits, rowBytes }: Known, row: number, column: number): boolean {
  return (((bits[row * rowBytes + (column >>> 3)] ?? 0) >>> (column & 7)) & 1) === 1;
}

function isSame({ rows, columns }: Known, nodes: readonly MapNode[], bundles: readonly MapBundle[]): boolean {
  return (
    rows.size === bundles.length &&
    columns.size === nodes.length &&
    bundles.every(({ bundle }, row) => rows.get(bundle) === row) &&
    nodes.every(({ id, holdingsVersion }, index) => {
      const column = columns.get(id);
      return column?.index === index && column.holdingsVersion === holdingsVersion;
    })
  );
}
