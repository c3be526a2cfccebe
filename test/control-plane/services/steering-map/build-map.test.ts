import t from 'tap';
import { buildMap } from '../../../../control-plane/services/steering-map/build-map.ts';
import type { MapNode } from '../../../../control-plane/services/steering-map/ports.ts';

const node = (id: string, lineBytesPerSecond: number | undefined): MapNode => ({
  ...{
    id,
    role: 'appliance',
    site: 'a',
    cluster: 'a',
    state: 'ready',
    stateReason: '',
    url: `http://${id}.test`,
  },
  ...{ key: { kty: 'EC', crv: 'P-256', x: 'x', y: 'y' }, addresses: [], place: undefined },
  ...{
    routeTable: undefined,
    routeFeed: false,
    lineBytesPerSecond,
    headroom: 1,
    reasons: [],
    held: new Set(),
  },
  ...{ holdingsVersion: 0, mayFetch: false, mayRedirect: false },
});

t.test('a box weighs what its line is in lines of 10 Gbit/s, and one where that is not known', (t) => {
  const nodes = [node('slow', 125e6), node('ten', 1.25e9), node('hundred', 12.5e9), node('new', undefined)];
  const { appliances } = buildMap({
    ...{ nodes, holdings: { name: '0'.repeat(64), count: 0, bytes: new Uint8Array() } },
    ...{ revocations: { sessions: [], bundles: [] }, steering: [], maintenance: [], challenges: [] },
  });
  t.strictSame(appliances.map(({ weight }) => weight), [0.1, 1, 10, 1]); // prettier-ignore
  t.end();
});
