import t from 'tap';
import { goesLive, type BundleHolder, type LiveInput } from '../../../control-plane/core/title-live.ts';

const origin: BundleHolder = { id: 'origin', role: 'origin', cluster: 'origin' };
const a: BundleHolder = { id: 'isp-a-1', role: 'appliance', cluster: 'isp-a' };
const b: BundleHolder = { id: 'isp-b-1', role: 'appliance', cluster: 'isp-b' };
const base: LiveInput = {
  holders: [origin],
  clustersWanting: ['isp-a', 'isp-b'],
  appliancesExist: true,
  clusters: 'any',
};

const cases: readonly [string, Partial<LiveInput>, boolean][] = [
  ['nobody serves it', { holders: [] }, false],
  ['appliances hold it, the origin does not', { holders: [a, b] }, false],
  ['no appliances exist', { appliancesExist: false, clustersWanting: undefined }, true],
  ['no plan knows it yet', { clustersWanting: undefined }, false],
  ['no cluster wants it: played from the origin', { clustersWanting: [] }, true],
  ['wanted, not held', {}, false],
  ['one cluster holds it', { holders: [origin, a] }, true],
  ['one of all clusters holds it', { holders: [origin, a], clusters: 'all' }, false],
  ['all clusters hold it', { holders: [a, b, origin], clusters: 'all' }, true],
  ['a cluster holds it that does not want it', { holders: [origin, b], clustersWanting: ['isp-a'] }, false],
];

t.test('when a title goes live', async (t) => {
  for (const [name, input, expected] of cases) t.equal(goesLive({ ...base, ...input }), expected, name);
});
