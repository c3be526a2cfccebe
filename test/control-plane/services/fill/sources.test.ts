import fc from 'fast-check';
import t from 'tap';

import {
  emptyPlan,
  type AppliancePlan,
  type FillPlan,
} from '../../../../control-plane/services/fill/plan.ts';
import type { FillNode } from '../../../../control-plane/services/fill/ports.ts';
import {
  fillMaster,
  nearFirst,
  sourcesOf,
  spread,
  type SourcesQuestion,
} from '../../../../control-plane/services/fill/sources.ts';

const [file, bundle] = ['f'.repeat(64), 'b'.repeat(64)];
const waits = { tierWaitMs: 2000, originWaitMs: 5000 };

function node(id: string, more: Partial<FillNode> = {}): FillNode {
  return {
    ...{ id, role: 'appliance', site: 'here', cluster: more.site ?? 'here', enrolledAtMs: 0, state: 'ready' },
    ...{ stateReason: '', lostMs: undefined, url: `http://${id}`, capacityBytes: 1, held: new Set() },
    ...{ holdingsVersion: 0, mayFetch: false, mayRedirect: false, ...more },
  };
}

const holder = (id: string, more: Partial<FillNode> = {}): FillNode =>
  node(id, { held: new Set([file]), ...more });
const origin = (id: string): FillNode => node(id, { role: 'origin', site: 'origin' });

/** A plan by which these boxes are to hold the file. */
function planFor(...ids: readonly string[]): FillPlan {
  const files = new Map([[file, { file, ext: 'mp4', sizeBytes: 1, bundle }]]);
  const own = { files } as unknown as AppliancePlan;
  return { ...emptyPlan, appliances: new Map(ids.map((id) => [id, own])) };
}

function ask(
  nodes: readonly FillNode[],
  {
    by = 'asker',
    wanting = [by],
    ...more
  }: Partial<SourcesQuestion> & { by?: string; wanting?: string[] } = {},
) {
  const appliance = nodes.find(({ id }) => id === by) ?? node(by);
  const all = nodes.includes(appliance) ? nodes : [appliance, ...nodes];
  const question = { appliance, nodes: all, plan: planFor(...wanting), waits, fillToken: 'T' };
  return sourcesOf(file, { ...question, purpose: 'fill', ...more }).ways;
}

const brief = (ways: ReturnType<typeof ask>): string[] =>
  ways.map(({ kind, node: id, waitMs }) => `${kind} ${id} ${waitMs}`);

t.test('peers at once, other sites and then the origin after their waits', async (t) => {
  const nodes = [origin('o'), holder('far', { site: 'there' }), holder('mate')];
  const ways = ask(nodes);
  t.same(brief(ways), ['peer mate 0', 'tier far 2000', 'origin o 5000']);
  t.equal(ways[0]?.base, 'http://mate/v1/T/');
  t.equal(ask([holder('mate', { url: 'http://mate//' })])[0]?.base, 'http://mate/v1/T/', 'one slash');
});

t.test('of each kind so many, the boxes of the own site first', async (t) => {
  const mates = ['a', 'b', 'c', 'd'].map((id) => holder(id));
  const far = ['e', 'f', 'g', 'h'].map((id) => holder(id, { site: 'there' }));
  const near = holder('near', { cluster: 'another' });
  const ways = ask([...mates, ...far, near, ...['o', 'p', 'q'].map(origin)]);
  const counts = Map.groupBy(ways, ({ kind }) => kind);
  t.same(
    [...counts].map(([kind, { length }]) => [kind, length]),
    [
      ['peer', 3],
      ['tier', 3],
      ['origin', 2],
    ],
  );
  t.equal(counts.get('tier')?.[0]?.node, 'near');
});

t.test('who cannot serve it is no source', async (t) => {
  const states = ['enrolled', 'draining', 'lost', 'revoked'] as const;
  const nodes = [
    ...states.map((state) => holder(state, { state })),
    holder('unreachable', { url: undefined }),
    node('without'),
    holder('asker'),
  ];
  t.same(ask(nodes), [], 'nor is the asker itself');
});

t.test(
  'no ways for what the box is not to hold, unless viewers ask for it there: then all at once',
  async (t) => {
    const nodes = [origin('o'), holder('far', { site: 'there' }), holder('mate')];
    t.same(ask(nodes, { wanting: ['mate'] }), []);
    t.same(brief(ask(nodes, { wanting: [], purpose: 'pull' })), ['peer mate 0', 'tier far 0', 'origin o 0']);
  },
);

t.test('while no mate has it, one of those that want it goes on at once and the others wait', async (t) => {
  const wanting = ['a', 'b', 'c'];
  const mates = wanting.map((id) => node(id));
  const others = [origin('o'), holder('far', { site: 'there' })];
  const waitsOf = (nodes: readonly FillNode[]): number[] =>
    wanting.map((by) => ask(nodes, { by, wanting }).reduce((sum, { waitMs }) => sum + waitMs, 0));
  // Other sites at once, and the origin when they have had their time.
  t.same(
    waitsOf([...mates, ...others]).toSorted((a, b) => a - b),
    [2000, 7000, 7000],
  );
  t.same(
    waitsOf([...mates, origin('o')]).toSorted((a, b) => a - b),
    [0, 5000, 5000],
    'with no other site the origin at once',
  );
  t.same(waitsOf([...mates, holder('mate'), origin('o')]), [5000, 5000, 5000], 'none once a mate has it');
});

t.test('the one that goes on is one that is there and wants it, whoever asks', async (t) => {
  const wanting = ['a', 'b', 'c'];
  const mates = wanting.map((id) => node(id));
  const masterOf = (nodes: readonly FillNode[], by: string, plan = planFor(...wanting)): string | undefined =>
    fillMaster({ file, bundle }, { appliance: nodes.find(({ id }) => id === by)!, nodes, plan })?.id;
  const [master = ''] = new Set(wanting.map((by) => masterOf(mates, by)));
  t.ok(wanting.every((by) => masterOf(mates, by) === master));
  const lost = mates.map((one) => (one.id === master ? { ...one, state: 'lost' as const } : one));
  const [next = '', other = ''] = wanting.filter((id) => id !== master);
  t.not(masterOf(lost, next), master);
  t.equal(masterOf(lost, next), masterOf(lost, other));
  t.equal(masterOf(mates, next, planFor(next)), next, 'the only one that wants it');
  t.equal(masterOf(mates, next, planFor()), undefined);
  const elsewhere = [...mates, node('x', { site: 'there' })];
  t.equal(masterOf(elsewhere, next, planFor(...wanting, 'x')), master, 'other clusters have their own');
});

t.test('askers of different files go to different nodes, of the same file to the same', async (t) => {
  const nodes = Array.from({ length: 5 }, (_, at) => node(`box-${at}`));
  const firsts = Array.from({ length: 1000 }, (_, at) => spread(nodes, `file-${at}`)[0]?.id);
  for (const { id } of nodes) {
    const share = firsts.filter((first) => first === id).length;
    t.ok(share > 100 && share < 300, `${id} is first for ${share} of 1000 files`);
  }
  fc.assert(
    fc.property(fc.shuffledSubarray(nodes, { minLength: 1 }), fc.string(), (some, key) => {
      const order = spread(some, key).map(({ id }) => id);
      const all = spread(nodes, key).map(({ id }) => id);
      // Whoever is gone changes nothing between the others.
      t.same(
        order,
        all.filter((id) => order.includes(id)),
      );
    }),
  );
  const near = nearFirst(
    [node('x', { site: 'there' }), node('a'), node('y', { site: 'there' }), node('b')],
    'here',
  );
  t.same(
    near.map(({ id }) => id),
    ['a', 'b', 'x', 'y'],
  );
});
