import fc from 'fast-check';
import t from 'tap';
import type { Pathway } from '../../../common/contract/steering.ts';
import { choosePathways } from '../../../control-plane/core/choose-pathways.ts';

function way(id: string, role: 'appliance' | 'origin' = 'appliance'): Pathway {
  return { id, role, url: `http://${id}`, site: 'site', cluster: 'cluster' };
}

const origin = way('origin', 'origin');
const bounds = { sessionId: 'ab'.repeat(16), pathwaysMax: 4 };
const ids = (ranked: Pathway[], holders: Pathway[], sessionId = bounds.sessionId): string[] =>
  choosePathways({ ...bounds, ranked, holders, sessionId }).map(({ id }) => id);

t.test('what steering ranked is kept in its order, the origin last', async (t) => {
  const all = [way('a'), way('b'), way('c'), way('d'), way('e'), origin];
  t.strictSame(ids([way('b'), way('a'), origin], all), ['b', 'a', 'origin']);
  t.strictSame(ids([origin, way('b')], all), ['b', 'origin']);
  t.strictSame(
    ids([way('b'), way('a')], all),
    ['b', 'a', 'origin'],
    'an origin is every answer\u2019s last way',
  );
  t.strictSame(ids([way('e'), way('d'), way('c'), way('b'), way('a'), origin], all), [
    'e',
    'd',
    'c',
    'origin',
  ]);
});

t.test('a box that steering left out is not added: it serves another network, or is not well', async (t) => {
  t.strictSame(ids([origin], [way('a'), origin]), ['origin']);
  t.strictSame(ids([way('a')], [way('a'), way('b')]), ['a']);
});

t.test('without a ranking sessions are spread over the holders', async (t) => {
  const holders = [way('a'), way('b'), way('c'), way('d'), way('e'), origin];
  const firsts = new Map<string, number>();
  for (let session = 0; session < 500; session++) {
    const chosen = ids([], holders, `session ${session}`);
    t.equal(chosen.length, 4);
    t.equal(chosen.at(-1), 'origin');
    const [first = ''] = chosen;
    firsts.set(first, (firsts.get(first) ?? 0) + 1);
  }
  t.equal(firsts.size, 5);
  for (const [id, count] of firsts) t.ok(count > 50, `${id} is first ${count} times`);
  t.strictSame(ids([], []), []);
});

t.test('distinct, bounded, at most one origin and that last', async () => {
  const pathway = fc
    .record({ id: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), isOrigin: fc.boolean() })
    .map(({ id, isOrigin }) => (isOrigin ? way(`o-${id}`, 'origin') : way(id)));
  fc.assert(
    fc.property(fc.array(pathway), fc.array(pathway), fc.string(), (ranked, holders, sessionId) => {
      const chosen = choosePathways({ ...bounds, ranked, holders, sessionId });
      const known = new Set([...ranked, ...holders].map(({ id }) => id));
      const sound =
        chosen.length <= 4 &&
        new Set(chosen.map(({ id }) => id)).size === chosen.length &&
        chosen.slice(0, -1).every(({ role }) => role === 'appliance') &&
        chosen.every(({ id }) => known.has(id));
      return sound && chosen.length >= Math.min(1, known.size);
    }),
  );
});
