import t from 'tap';
import { openHoldings } from '../../../../common/core/holdings-codec.ts';
import { valueOf } from '../../../../common/runtime/errors.ts';
import { createHoldingsMatrix } from '../../../../control-plane/services/steering-map/holdings-matrix.ts';
import type { MapNode, PlannedLadders } from '../../../../control-plane/services/steering-map/ports.ts';
import { fileNamed } from '../../support/sample-bundle.ts';

const [name, best, small] = ['bundle', 'best', 'small'].map(fileNamed) as [string, string, string];
const bundles = [{ bundle: name, files: [name, best, small].map((file) => ({ file })) }];
const sizes = new Map([
  [name, 1],
  [best, 100],
  [small, 20],
]);

function node(id: string, held: readonly string[], holdingsVersion = 0): MapNode {
  return {
    ...{ id, role: 'appliance', site: 'a', cluster: 'a', state: 'ready', stateReason: '' },
    ...{ key: { kty: 'EC', crv: 'P-256', x: 'x', y: 'y' }, url: `http://${id}.test`, addresses: [] },
    ...{
      place: undefined,
      routeTable: undefined,
      routeFeed: false,
      lineBytesPerSecond: undefined,
      headroom: 1,
      reasons: [],
    },
    ...{ held: new Set(held), holdingsVersion, mayFetch: false, mayRedirect: true },
  };
}

function ladder(...files: readonly string[]): PlannedLadders {
  return new Map([[name, files.map((file) => ({ file, sizeBytes: sizes.get(file)! }))]]);
}

t.test('a box holds a bundle whole, or most of what is planned of it there', async (t) => {
  const matrix = createHoldingsMatrix();
  const nothing: PlannedLadders = new Map();
  /** Who holds it whole and who in part, each as the numbers of the nodes. */
  const holders = (nodes: readonly MapNode[], planned: Record<string, PlannedLadders> = {}) => {
    const { bytes, count } = matrix({ nodes, bundles, plannedLadders: (id) => planned[id] ?? nothing });
    t.equal(count, 1);
    const { bits, parts } = valueOf(openHoldings(bytes, nodes.length));
    return [bits, parts].map(([byte = 0]) =>
      nodes.flatMap((_, index) => ((byte >>> index) & 1 ? [index] : [])),
    );
  };
  const planned = { one: ladder(name, best), two: ladder(name, best), three: ladder(name, best, small) };
  const nodes = [
    node('one', [name, best]),
    node('two', [best]),
    node('three', [name, best, small]),
    node('four', [name, best]),
  ];
  t.strictSame(holders(nodes, planned), [[2], [0]], 'without its bundle no token could be judged');
  t.strictSame(holders(nodes), [[2], []], 'nothing is planned any more');
  t.strictSame(
    holders(nodes, { ...planned, one: ladder(name, best, small) }),
    [[2], [0]],
    'more is planned, and what stands goes on being offered',
  );
  const lost = nodes.with(0, node('one', [name, small], 1));
  t.strictSame(holders(lost, { ...planned, one: ladder(name, best, small) }), [[2], []], 'the smaller part');
  t.strictSame(holders(lost.with(1, node('two', [name, best], 1)), planned), [[2], [1]]);
});
