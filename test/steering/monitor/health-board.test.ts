import t from 'tap';
import type { HealthVote } from '../../../common/contract/health.ts';
import { mergeViews } from '../../../steering/core/quorum.ts';
import { HealthBoard, type HealthChange } from '../../../steering/monitor/health-board.ts';

const siteOf = (id: string) => ({ id, site: 'ams' });

/** A board that believes what one node votes of the boxes that are watched. */
function startBoard() {
  const changes: HealthChange[] = [];
  const board = new HealthBoard((change) => changes.push(change));
  let nowMs = 1_000;
  const update = (boxes: readonly { id: string; site: string }[], votes: readonly HealthVote[]): void => {
    nowMs += 1_000;
    const merged = mergeViews([{ node: 'n', isolated: false, mapSequence: 1, votes: [...votes] }]);
    board.update({ boxes, maintenance: [] }, { merged, nowMs });
  };
  return { board, changes, update };
}

t.test('who is watched no longer is forgotten, and is new when it comes back', (t) => {
  const { board, changes, update } = startBoard();
  const [a, b] = [siteOf('a'), siteOf('b')];
  const watched = [a, b];
  const votes: HealthVote[] = [
    { id: 'a', v4: 'down', why: 'ECONNREFUSED' },
    { id: 'b', v4: 'up' },
  ];
  update(watched, votes);
  t.match(board.history('a'), [{ atMs: 2_000, from: 'unknown', to: 'down', reason: 'ECONNREFUSED' }]);
  update([b], votes);
  t.strictSame([...board.health().keys()], ['b']);
  t.strictSame(board.history('a'), []);
  t.equal(board.history('b').length, 1, 'of the others nothing is');
  update([a, b], votes);
  t.match(board.health().get('a'), { verdict: 'down', sinceMs: 4_000 });
  t.match(board.history('a'), [{ atMs: 4_000, from: 'unknown', to: 'down' }]);
  t.strictSame(changes.map(({ id, before }) => [id, before?.verdict]), [['a', undefined], ['b', undefined], ['a', undefined]]); // prettier-ignore
  t.end();
});
