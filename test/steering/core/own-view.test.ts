import t from 'tap';
import type { BoxReport } from '../../../common/contract/health.ts';
import { castView, VoteBook, type BoxEvidence } from '../../../steering/core/own-view.ts';
import { judgeSight } from '../../../steering/core/sight.ts';
import { unprobed, type Family, type ProbeState, type Verdict } from '../../../steering/core/health.ts';

const state = (verdict: Verdict, sinceMs = 0, previous: Verdict = 'up'): ProbeState => ({
  ...unprobed(0),
  verdict,
  previous,
  sinceMs,
  reason: `made ${verdict}`,
});

function box(
  id: string,
  by: Partial<Record<Family, ProbeState>>,
  more: Partial<BoxEvidence> = {},
): BoxEvidence {
  const probes = new Map(
    Object.entries(by).map(([family, each]): [Family, ProbeState] => [Number(family) as Family, each]),
  );
  return { id, probes, suppressed: new Set(), report: undefined, ...more };
}

const cast = (boxes: readonly BoxEvidence[], sight: 'clear' | 'alone' | 'isolated' = 'clear') =>
  castView(boxes, { node: 'n', mapSequence: 7, sight, holdWindowMs: 10_000 });

t.test('each family is told as it was seen, with the reason of what is not up', (t) => {
  const { view, holding } = cast([
    box('a', { 4: state('up'), 6: state('down') }),
    box('b', { 4: state('draining'), 6: state('up') }),
    box('c', { 4: state('unknown') }),
  ]);
  t.strictSame(view, {
    node: 'n',
    isolated: false,
    mapSequence: 7,
    votes: [
      { id: 'a', v4: 'up', v6: 'down', why: 'IPv6: made down' },
      { id: 'b', v4: 'up', v6: 'up', draining: true },
      { id: 'c', v4: 'unknown' },
    ],
  });
  t.notOk(holding);
  t.end();
});

t.test('when all look dead the last good state is told; of one family, when several boxes have it', (t) => {
  const dead = cast([box('a', { 4: state('down', 100) }), box('b', { 4: state('down', 50_000) })]);
  t.match([dead.holding, dead.view.votes], [true, [{ v4: 'down' }, { v4: 'up' }]]);
  const noSix = cast([
    box('a', { 4: state('up'), 6: state('down', 1) }),
    box('b', { 4: state('up'), 6: state('down', 2) }),
  ]);
  t.match([noSix.holding, noSix.view.votes], [false, [{ v6: 'up' }, { v6: 'up' }]], 'our own IPv6 is gone');
  const neverSix = cast([
    box('a', { 4: state('up'), 6: state('down', 1, 'unknown') }),
    box('b', { 4: state('up'), 6: state('down', 2, 'unknown') }),
  ]);
  t.match(neverSix.view.votes, [{ v6: 'unknown' }, { v6: 'unknown' }], 'we never had any');
  const oneSix = cast([box('a', { 4: state('up'), 6: state('down', 1) }), box('b', { 4: state('up') })]);
  t.match(oneSix.view.votes, [{ v4: 'up', v6: 'down' }, { v4: 'up' }], 'it is the only one: it is dead');
  t.end();
});

t.test(
  'an isolated node keeps still: what it lost with its peers is told as it was, and does not count',
  (t) => {
    const boxes = [
      box('a', { 4: state('down', 60_000) }),
      box('b', { 4: state('down', 61_000) }),
      box('c', { 4: state('up') }),
      box('d', { 4: state('down', 5_000) }),
    ];
    const { view, holding } = cast(boxes, 'isolated');
    t.ok(view.isolated && holding);
    t.strictSame(view.votes.map(({ v4 }) => v4), ['up', 'up', 'up', 'down'], 'd was dead long before'); // prettier-ignore
    t.strictSame(cast(boxes, 'alone').view.votes.map(({ v4 }) => v4), ['down', 'down', 'up', 'down']); // prettier-ignore
    t.end();
  },
);

t.test('who was told as before while all looked dead is told as it was seen once that is over', (t) => {
  const book = new VoteBook();
  const votes = (boxes: readonly BoxEvidence[]) =>
    castView(boxes, { node: 'n', mapSequence: 7, sight: 'clear', holdWindowMs: 10_000 }, book).view.votes;
  const [a, b] = [box('a', { 4: state('down', 100) }), box('b', { 4: state('down', 200) })];
  t.match(votes([a, b]), [{ v4: 'up' }, { v4: 'up' }]);
  t.match(votes([a, box('b', { 4: state('up', 300) })]), [{ v4: 'down' }, { v4: 'up' }]);
  t.match(votes([a, b]), [{ v4: 'up' }, { v4: 'up' }]);
  t.end();
});

t.test(
  'a vote is the same object for as long as it says the same; boxes that are watched no longer are forgotten',
  (t) => {
    const book = new VoteBook();
    const votes = (...boxes: BoxEvidence[]) =>
      castView(boxes, { node: 'n', mapSequence: 7, sight: 'clear', holdWindowMs: 10_000 }, book).view.votes;
    const [a, b] = [box('a', { 4: state('up') }), box('b', { 4: state('up') })];
    const both = votes(a, b);
    t.equal(votes(a, box('b', { 4: state('up', 1) })), both, 'with all the others');
    const [ofA] = votes(a);
    t.equal(ofA, both[0]);
    const again = votes(b, a);
    t.equal(again[1], ofA, 'wherever its box is');
    t.strictSame(again[0], both[1]);
    t.not(again[0], both[1], 'nothing is kept of who was gone');
    t.end();
  },
);

t.test('who is isolated, who is alone', (t) => {
  const at = (...[peers, peersFresh, boxes, boxesDown]: [number, number, number, number]) =>
    judgeSight({ peers, peersFresh, boxes, boxesDown });
  t.equal(at(0, 0, 4, 4), 'clear', 'no peers to lose: a quorum of one');
  t.equal(at(2, 1, 4, 4), 'clear', 'a peer is there: the majority decides');
  t.equal(at(2, 0, 4, 2), 'alone');
  t.equal(at(2, 0, 4, 3), 'isolated');
  t.equal(at(2, 0, 0, 0), 'alone', 'at the start nothing is known');
  t.end();
});

t.test('flapping boxes are held down, unless half of them flap: then it is the way to them', (t) => {
  const suppressed = new Set<Family>([4]);
  const steady = ['b', 'c'].map((id) => box(id, { 4: state('up') }));
  const one = cast([box('a', { 4: state('up') }, { suppressed }), ...steady]);
  t.match(one.view.votes[0], { v4: 'damped', why: /flaps/ });
  const most = cast(['a', 'd', 'e'].map((id) => box(id, { 4: state('up') }, { suppressed })).concat(steady));
  t.ok(most.view.votes.every(({ v4 }) => v4 === 'up'));
  t.end();
});

t.test('what a box says goes along; what is wrong with it only where it keeps viewers away', (t) => {
  const report: BoxReport = {
    sentAtMs: 5,
    state: 'ready',
    headroom: 0.25,
    level: 'normal',
    liveRequests: 1,
    liveSessions: 2,
    connections: 3,
    failures: 0,
    disks: { serving: 1, all: 2 },
    reasons: ['DISK_FAILED: /d1', 'STORE_UNAVAILABLE'],
  };
  const { view } = cast([box('a', { 4: state('up') }, { report })]);
  t.strictSame(view.votes[0]?.said, {
    atMs: 5,
    draining: false,
    headroom: 0.25,
    unwell: 'STORE_UNAVAILABLE',
  });
  t.end();
});
