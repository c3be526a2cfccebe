import fc from 'fast-check';
import t from 'tap';
import { checkFamily, type Member } from '../../../../../control-plane/services/catalog/core/family.ts';

const kinds = ['movie', 'series', 'season', 'episode', 'extra'] as const;

function childrenOf(titles: ReadonlyMap<string, Member>, id: string): Member[] {
  return [...titles.values()].filter(({ parentId }) => parentId === id);
}

t.test('whatever is asked for in whatever order, no title is ever part of itself', async (t) => {
  const ids = ['a', 'b', 'c', 'd', 'e', 'f'];
  const change = fc.record({
    id: fc.constantFrom(...ids),
    kind: fc.constantFrom(...kinds),
    parentId: fc.option(fc.constantFrom(...ids, 'nobody'), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
      const titles = new Map<string, Member>(ids.map((id) => [id, { id, kind: 'movie' }]));
      for (const one of changes) {
        const relatives = { find: (id: string) => titles.get(id), children: childrenOf(titles, one.id) };
        if (checkFamily(one, relatives).ok) titles.set(one.id, one);
      }
      return ids.every((id) => {
        let depth = 0;
        for (let at = titles.get(id); at?.parentId !== undefined; at = titles.get(at.parentId)) depth++;
        return depth <= 3;
      });
    }),
  );
  t.pass('at most extra of episode of season of series');
});

t.test('what is wrong is said', async (t) => {
  const titles = new Map<string, Member>([
    ['show', { id: 'show', kind: 'series' }],
    ['one', { id: 'one', kind: 'season', parentId: 'show' }],
    ['pilot', { id: 'pilot', kind: 'episode', parentId: 'one' }],
  ]);
  const check = (member: Member) =>
    checkFamily(member, { find: (id) => titles.get(id), children: childrenOf(titles, member.id) });
  t.match(check({ id: 'show', kind: 'series', parentId: 'one' }), { code: 'TITLE_CYCLE' });
  t.match(check({ id: 'show', kind: 'extra', parentId: 'show' }), { code: 'TITLE_CYCLE' });
  t.match(check({ id: 'two', kind: 'season' }), { code: 'TITLE_PARENT_INVALID', detail: /series/ });
  t.match(check({ id: 'two', kind: 'season', parentId: 'pilot' }), { code: 'TITLE_PARENT_INVALID' });
  t.match(check({ id: 'two', kind: 'season', parentId: 'none' }), { code: 'TITLE_PARENT_INVALID' });
  t.match(check({ id: 'film', kind: 'movie', parentId: 'show' }), { code: 'TITLE_PARENT_INVALID' });
  t.match(check({ id: 'one', kind: 'episode', parentId: 'show' }), { detail: /pilot/ });
  t.match(check({ id: 'pilot', kind: 'episode', parentId: 'show' }), { ok: true });
});
