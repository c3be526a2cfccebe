import t from 'tap';
import { openRecords } from '../../../../common/adapters/records/open.ts';
import { generateKey } from '../../../../common/runtime/keys.ts';
import { createManualClock } from '../../../../common/runtime/manual-clock.ts';
import { openIdentities } from '../../../../control-plane/services/access/identities.ts';
import { openAccessRecords } from '../../../../control-plane/services/access/records.ts';
import { temporaryDir } from '../../support/control-plane.ts';

t.test('a name that two want in the same moment goes to one of them', async (t) => {
  const store = await openRecords(`sqlite://${await temporaryDir(t)}/access.db`);
  t.teardown(() => store.close());
  const identities = await openIdentities({ records: openAccessRecords(store), clock: createManualClock() });
  const add = () => {
    const { kid, publicJwk } = generateKey();
    const place = { site: 'isp-a', cluster: 'isp-a' };
    return identities.add(
      { id: 'isp-a-1', role: 'appliance', ...place, publicJwk, kid, enrolledAtMs: 1 },
      [],
    );
  };
  const [first, second] = await Promise.allSettled([add(), add()]);
  t.equal(first.status, 'fulfilled');
  t.match(second, { status: 'rejected', reason: { code: 'NAME_TAKEN' } });
});
