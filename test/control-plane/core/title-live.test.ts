import t from 'tap';
import {
  livenessOf,
  type BundleHolder,
  type LiveInput,
  type WantingCluster,
} from '../../../control-plane/core/title-live.ts';

const origin: BundleHolder = { id: 'origin', role: 'origin', cluster: 'origin' };
const box = (cluster: string, number: number): BundleHolder => ({
  ...{ id: `${cluster}-${number}`, role: 'appliance', cluster },
});
const [a, b] = [box('isp-a', 1), box('isp-b', 1)];
const wants = (site: string, copies: number, cluster = site): WantingCluster => ({ cluster, site, copies });
const base: LiveInput = {
  holders: [origin],
  wanting: [wants('isp-a', 2), wants('isp-b', 1)],
  appliancesExist: true,
  copiesMin: 0,
};

const cases: readonly [string, Partial<LiveInput>, boolean, string[]?][] = [
  ['nobody serves it', { holders: [] }, false],
  ['appliances hold it, the origin does not', { holders: [a, b] }, false],
  ['no appliances exist', { appliancesExist: false, wanting: undefined }, true],
  ['no plan knows it yet', { wanting: undefined }, false],
  ['no cluster wants it: played from the origin', { wanting: [], copiesMin: 2 }, true],
  ['wanted, not held', {}, false],
  ['one site holds it, which is enough for all', { holders: [origin, a] }, true],
  ['a cluster holds it that does not want it', { holders: [origin, b], wanting: [wants('isp-a', 1)] }, false],
  ['one site has a copy, the other waits', { holders: [origin, a], copiesMin: 1 }, true, ['isp-b']],
  [
    'too few copies at the one, enough at the other',
    { holders: [origin, a, b], copiesMin: 2 },
    true,
    ['isp-a'],
  ],
  ['no more copies are waited for than are wanted', { holders: [b, origin], copiesMin: 3 }, true, ['isp-a']],
  ['too few copies everywhere', { holders: [origin, a], copiesMin: 2 }, false],
  ['all copies stand', { holders: [origin, a, box('isp-a', 2), b], copiesMin: 2 }, true],
  [
    'one cluster of a site is enough for its viewers',
    { holders: [origin, a], wanting: [wants('isp-a', 1), wants('isp-a', 1, 'isp-a-2')], copiesMin: 1 },
    true,
  ],
];

t.test('when and where a title goes live', async (t) => {
  for (const [name, input, isLive, waitingSites = []] of cases)
    t.same(livenessOf({ ...base, ...input }), { isLive, waitingSites }, name);
});
