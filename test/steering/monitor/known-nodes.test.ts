import t from 'tap';
import type { PublicJwk } from '../../../common/contract/primitives.ts';
import { generateKey } from '../../../common/runtime/keys.ts';
import { KnownNodes } from '../../../steering/monitor/known-nodes.ts';
import { appliance, mapOf, viewOf } from '../../support/steering-maps.ts';

const [one, other, third] = [generateKey(), generateKey(), generateKey()];
const viewWith = (keys: Record<string, PublicJwk | undefined>) =>
  viewOf(mapOf(Object.entries(keys).map(([id, key]) => appliance(id, key === undefined ? {} : { key }))));

t.test('nodes are known by their keys, as the last map has them', async (t) => {
  const known = new KnownNodes();
  known.take(viewWith({ a: one.publicJwk, b: other.publicJwk, keyless: undefined }));
  t.match(known.find(one.kid), { nodeId: 'a', role: 'appliance', revoked: false });
  t.match(known.find(other.kid), { nodeId: 'b' });
  const imported = known.find(one.kid)?.publicKey;

  known.take(viewWith({ a: one.publicJwk, b: third.publicJwk }));
  t.equal(known.find(one.kid)?.publicKey, imported, 'a key that stays is imported once');
  t.equal(known.find(other.kid), undefined, 'one that was replaced proves nothing any more');
  t.match(known.find(third.kid), { nodeId: 'b' });

  known.take({ appliances: [], steering: [{ id: 'a', url: 'http://a.test', key: one.publicJwk }] });
  t.match(known.find(one.kid), { nodeId: 'a', role: 'steering' });
  t.equal(known.find(third.kid), undefined, 'nor does who has gone');
});

t.test('a key that is none concerns its node alone', async (t) => {
  const known = new KnownNodes();
  const none = { ...one.publicJwk, x: 'A'.repeat(43) };
  known.take(viewWith({ a: none, b: other.publicJwk }));
  t.match(known.find(other.kid), { nodeId: 'b' });
});
