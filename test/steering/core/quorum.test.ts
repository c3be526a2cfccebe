import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { FamilyVote, type HealthVote, type PeerView } from '../../../common/contract/health.ts';
import { mergeViews, Quorum, type Merged } from '../../../steering/core/quorum.ts';

const view = (node: string, votes: HealthVote[], isolated = false): PeerView => ({
  node,
  isolated,
  mapSequence: 1,
  votes,
});
const up = (id: string): HealthVote => ({ id, v4: 'up' });
const down = (id: string, why = 'ECONNREFUSED'): HealthVote => ({ id, v4: 'down', why });
/** What was made of each box, by their names. */
const sorted = ({ nodes }: Merged) => [...nodes].sort(([a], [b]) => (a < b ? -1 : 1));
const verdict = (merged: Merged, id: string) => merged.nodes.get(id)?.verdicts.get(4);

t.test('the majority decides, a tie is up, and one view is a quorum of one', (t) => {
  t.equal(verdict(mergeViews([view('a', [down('x'), up('y')])]), 'x'), 'down');
  const two = mergeViews([view('a', [down('x'), up('y')]), view('b', [up('x'), up('y')])]);
  t.equal(verdict(two, 'x'), 'up', 'a tie');
  const three = mergeViews([
    view('a', [down('x'), up('y')]),
    view('b', [up('x'), up('y')]),
    view('c', [down('x', 'no answer within 1000 ms'), up('y')]),
  ]);
  t.equal(verdict(three, 'x'), 'down');
  t.equal(three.nodes.get('x')?.why, '2 of 3 steering nodes: ECONNREFUSED; no answer within 1000 ms');
  t.equal(three.nodes.get('y')?.why, '');
  const unsure = mergeViews([
    view('a', [down('x'), up('y')]),
    view('b', [{ id: 'x', v4: 'unknown' }, up('y')]),
  ]);
  t.equal(verdict(unsure, 'x'), 'down', 'who knows nothing does not count');
  t.end();
});

t.test('families are judged apart', (t) => {
  const merged = mergeViews([view('a', [{ id: 'x', v4: 'up', v6: 'down' }, up('y')])]);
  t.strictSame([...(merged.nodes.get('x')?.verdicts ?? [])], [[4, 'up'], [6, 'down']]); // prettier-ignore
  t.strictSame([...(merged.nodes.get('y')?.verdicts ?? [])], [[4, 'up']]);
  t.end();
});

t.test('who is isolated does not count while anybody else is there', (t) => {
  const blind = view('a', [down('x'), down('y'), down('z')], true);
  const blinder = view('b', [down('x'), down('y'), up('z')], true);
  t.equal(verdict(mergeViews([blind, view('c', [up('x'), up('y'), up('z')])]), 'x'), 'up');
  t.equal(verdict(mergeViews([blind, blinder]), 'x'), 'down', 'if all are, they are all there is');
  t.end();
});

t.test('where every box is down by majority, any sign of life counts', (t) => {
  const merged = mergeViews([
    view('a', [down('x'), down('y'), up('z')]),
    view('b', [down('x'), up('y'), down('z')]),
    view('c', [up('x'), down('y'), down('z')]),
  ]);
  t.ok(merged.holding);
  t.strictSame(['x', 'y', 'z'].map((id) => verdict(merged, id)), ['up', 'up', 'up']); // prettier-ignore
  const damped = mergeViews([view('a', [{ id: 'x', v4: 'damped', why: 'it flaps' }, down('y')])]);
  t.strictSame(['x', 'y'].map((id) => verdict(damped, id)), ['up', 'down']); // prettier-ignore
  t.notOk(mergeViews([]).holding);
  t.end();
});

t.test('of what boxes say of themselves the latest counts', (t) => {
  const says = (node: string, atMs: number, headroom: number) =>
    view(node, [{ ...up('x'), said: { atMs, draining: headroom < 0.2, headroom } }]);
  const merged = mergeViews([says('a', 1, 0.9), says('b', 3, 0.1), says('c', 2, 0.5)]);
  t.match(merged.nodes.get('x'), { draining: true, said: { headroom: 0.1 } });
  t.match(mergeViews([view('a', [{ ...up('x'), draining: true }])]).nodes.get('x'), { draining: true });
  t.end();
});

const isFirst = (vote: HealthVote, at: number, all: readonly HealthVote[]): boolean =>
  all.findIndex(({ id }) => id === vote.id) === at;
const anyVote = fc.constantFrom<FamilyVote | undefined>('up', 'down', 'damped', 'unknown', undefined);
const anyView = (node: string, vote = anyVote): fc.Arbitrary<PeerView> =>
  fc
    .record({
      isolated: fc.boolean(),
      votes: fc.uniqueArray(
        fc.record({
          id: fc.constantFrom('p', 'q', 'r', 's', 't'),
          v4: vote,
          v6: vote,
          atMs: fc.nat(5),
        }),
        { selector: ({ id }) => id },
      ),
    })
    .map(({ isolated, votes }) =>
      view(
        node,
        votes.map(({ id, v4, v6, atMs }) => ({
          id,
          ...(v4 && { v4 }),
          ...(v6 && { v6 }),
          said: { atMs, draining: atMs % 2 === 0, headroom: atMs / 5 },
          ...((v4 === 'down' || v6 === 'down') && { why: `${node} says so` }),
        })),
        isolated,
      ),
    );

t.test('the same views give the same answer, in whatever order they come', (t) => {
  const views = fc.tuple(...['a', 'b', 'c', 'd'].map((node) => anyView(node)));
  fc.assert(
    fc.property(views, fc.array(fc.nat(), { minLength: 4, maxLength: 4 }), (all, order) => {
      const shuffled = all
        .map((one, at) => ({ one: { ...one, votes: [...one.votes].reverse() }, key: order[at] ?? 0 }))
        .sort((a, b) => a.key - b.key)
        .map(({ one }) => one);
      const [first, second] = [mergeViews(all), mergeViews(shuffled)];
      t.strictSame(sorted(first), sorted(second));
      return first.holding === second.holding;
    }),
  );
  t.end();
});

t.test('nobody is down whom more see up than down', (t) => {
  const views = fc.tuple(...['a', 'b', 'c'].map((node) => anyView(node)));
  fc.assert(
    fc.property(views, (all) => {
      const merged = mergeViews(all);
      const counted = all.some(({ isolated }) => !isolated) ? all.filter(({ isolated }) => !isolated) : all;
      for (const [id, { verdicts }] of merged.nodes) {
        const votes = counted.flatMap(({ votes: cast }) => cast.find((vote) => vote.id === id)?.v4 ?? []);
        const ups = votes.filter((vote) => vote === 'up').length;
        const downs = votes.filter((vote) => vote === 'down' || vote === 'damped').length;
        if (verdicts.get(4) === 'down' && ups >= downs) return false;
        if (verdicts.get(4) === 'up' && downs > ups && !merged.holding) return false;
      }
      return true;
    }),
  );
  t.end();
});

t.test('merged one after the other, views give what they give alone', (t) => {
  // Mostly every box is nearly dead, and now and then one of them is not.
  const gloomy = fc.constantFrom<FamilyVote | undefined>('down', 'down', 'down', 'damped', 'up', undefined);
  const views = fc
    .tuple(fc.subarray(['a', 'b', 'c']), fc.constantFrom(anyVote, gloomy))
    .chain(([nodes, vote]) => fc.tuple(...nodes.map((node) => anyView(node, vote))));
  fc.assert(
    fc.property(fc.array(views, { minLength: 2, maxLength: 12 }), fc.nat(), (series, seed) => {
      const quorum = new Quorum();
      let before: PeerView[] = [];
      for (const [at, come] of series.entries()) {
        // Some nodes say again what they said, and some change a vote or two.
        const keeps = (seed >>> at) % 2 === 0;
        const all = come.map((one, place) => {
          const was = before.find(({ node }) => node === one.node);
          if (!keeps || was === undefined) return one;
          return place === 0
            ? was
            : { ...was, votes: [...was.votes.slice(1), ...one.votes.slice(0, 1)].filter(isFirst) };
        });
        const [going, alone] = [quorum.merge(all), mergeViews(all)];
        assert.deepStrictEqual(sorted(going), sorted(alone));
        assert.equal(going.holding, alone.holding);
        before = all;
      }
    }),
    { numRuns: 300 },
  );
  t.end();
});
