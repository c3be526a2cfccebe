import { encodeHoldings, holdingsRowBytes } from '../../../common/core/holdings-codec.ts';
import { nameOfRouteBytes } from '../../../common/core/route-table-codec.ts';
import type { MapBundle, MapNode, PlannedLadders } from './ports.ts';

/** Who holds which bundle, in its canonical form. */
export interface HoldingsTable {
  readonly name: string;
  readonly count: number;
  readonly bytes: Uint8Array;
}

interface Column {
  readonly index: number;
  readonly holdingsVersion: number;
  readonly planned: PlannedLadders;
  /** The bundles of which the node holds most of what is planned there. */
  readonly parts: readonly string[];
}

interface Known {
  readonly rows: ReadonlyMap<string, number>;
  readonly columns: ReadonlyMap<string, Column>;
  readonly bits: Uint8Array;
  readonly rowBytes: number;
  readonly table: HoldingsTable;
}

/** Of whom the holdings are. */
export interface HoldingsOf {
  readonly nodes: readonly MapNode[];
  readonly bundles: readonly MapBundle[];
  /** The same object for as long as nothing else is planned there. */
  readonly plannedLadders: (nodeId: string) => PlannedLadders;
}

/**
 * Keeps two bits for each bundle and node: whether the node holds all of it, and whether it holds a part of it which is most of what is planned
 * there, and leads on to the rest. Only what may have changed is looked at again: most maps differ from the one before by the holdings of one node. An origin
 * reads through to the blobs and so holds every published bundle (ADR 9).
 */
export function createHoldingsMatrix() {
  let known: Known | undefined;
  return (of: HoldingsOf): HoldingsTable => {
    const { nodes } = of;
    const sorted = [...of.bundles].sort((a, b) => (a.bundle < b.bundle ? -1 : 1));
    const before = known;
    if (before !== undefined && isSame(before, of, sorted)) return before.table;
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
        if (holds) setBit(bits, row * rowBytes, index);
      }
    }
    const names = sorted.map(({ bundle }) => bundle);
    const rows = new Map(names.map((name, row) => [name, row]));
    const columns = new Map(nodes.map((node, index) => [node.id, columnOf(node, { index, of, before })]));
    const parts = new Uint8Array(bits.length);
    for (const column of columns.values()) {
      for (const bundle of column.parts) {
        const row = rows.get(bundle);
        if (row !== undefined && !bitAt({ bits, rowBytes }, row, column.index))
          setBit(parts, row * rowBytes, column.index);
      }
    }
    const bytes = encodeHoldings(names, nodes.length, { bits, parts });
    known = {
      ...{ rows, columns, bits, rowBytes },
      table: { name: nameOfRouteBytes(bytes), count: names.length, bytes },
    };
    return known.table;
  };
}

function holdsWhole(node: MapNode, { files }: MapBundle): boolean {
  return node.role === 'origin' || files.every(({ file }) => node.held.has(file));
}

function columnOf(
  { id, holdingsVersion, held }: MapNode,
  { index, of, before }: { index: number; of: HoldingsOf; before: Known | undefined },
): Column {
  const planned = of.plannedLadders(id);
  const known = before?.columns.get(id);
  const isKnown = known?.holdingsVersion === holdingsVersion && known.planned === planned;
  const parts = isKnown
    ? known.parts
    : [...planned].filter(([bundle, files]) => holdsMost(held, { bundle, files })).map(([bundle]) => bundle);
  return { index, holdingsVersion, planned, parts };
}

/**
 * Whether a box holds the bundle's own file and most of what is planned of it there. Not all: when more is planned, what stands goes on
 * being offered.
 */
function holdsMost(
  held: ReadonlySet<string>,
  { bundle, files }: { bundle: string; files: readonly { file: string; sizeBytes: number }[] },
): boolean {
  if (!held.has(bundle)) return false;
  let bytes = 0;
  for (const { file, sizeBytes } of files) bytes += held.has(file) ? sizeBytes : -sizeBytes;
  return bytes >= 0;
}

function setBit(bits: Uint8Array, rowAt: number, index: number): void {
  const at = rowAt + (index >>> 3);
  bits[at] = (bits[at] ?? 0) | (1 << (index & 7));
}

function bitAt({ bits, rowBytes }: Pick<Known, 'bits' | 'rowBytes'>, row: number, column: number): boolean {
  return (((bits[row * rowBytes + (column >>> 3)] ?? 0) >>> (column & 7)) & 1) === 1;
}

function isSame(
  { rows, columns }: Known,
  { nodes, plannedLadders }: HoldingsOf,
  bundles: readonly MapBundle[],
): boolean {
  return (
    rows.size === bundles.length &&
    columns.size === nodes.length &&
    bundles.every(({ bundle }, row) => rows.get(bundle) === row) &&
    nodes.every(({ id, holdingsVersion }, index) => {
      const column = columns.get(id);
      return (
        column?.index === index &&
        column.holdingsVersion === holdingsVersion &&
        column.planned === plannedLadders(id)
      );
    })
  );
}
