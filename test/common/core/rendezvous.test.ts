import fc from 'fast-check';
import t from 'tap';
import { hashText, rendezvousScore, type RendezvousNode } from '../../../common/core/rendezvous.ts';

const KEYS = Array.from({ length: 4000 }, (_, at) => hashText(`bundle ${at}`));

const nodesOf = (seed: string, weights: readonly number[]): RendezvousNode[] =>
  weights.map((weight, at) => ({ hash: hashText(`${seed}-${at}`), weight }));

function owners(nodes: readonly RendezvousNode[]): number[] {
  return KEYS.map((key) => {
    let best = 0;
    for (let at = 1; at < nodes.length; at++) {
      const [node, leader] = [nodes[at], nodes[best]];
      if (node && leader && rendezvousScore(node, key) > rendezvousScore(leader, key)) best = at;
    }
    return best;
  });
}

t.test('adding one of n moves at most 1/n + 5 % of the keys, and all of them to the new one', (t) => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.integer({ min: 2, max: 12 }), (seed, n) => {
      const before = owners(nodesOf(seed, new Array<number>(n - 1).fill(1)));
      const after = owners(nodesOf(seed, new Array<number>(n).fill(1)));
      const moved = before.filter((owner, at) => owner !== after[at]).length;
      const elsewhere = before.some((owner, at) => owner !== after[at] && after[at] !== n - 1);
      return !elsewhere && moved / KEYS.length <= 1 / n + 0.05;
    }),
    { numRuns: 60 },
  );
  t.end();
});

t.test('shares follow weights', (t) => {
  fc.assert(
    fc.property(
      fc.string({ minLength: 1 }),
      fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 2, maxLength: 8 }),
      (seed, weights) => {
        const owned = owners(nodesOf(seed, weights));
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        return weights.every((weight, at) => {
          const share = owned.filter((owner) => owner === at).length / KEYS.length;
          return Math.abs(share - weight / total) < 0.05;
        });
      },
    ),
    { numRuns: 60 },
  );
  t.end();
});

t.test('the same for ever: nodes of other versions must agree', (t) => {
  t.strictSame(hashText('isp-a-1'), { a: 4294549312, b: 3380913007 });
  const score = rendezvousScore({ hash: hashText('isp-a-1'), weight: 1 }, hashText('0'.repeat(64)));
  t.equal(score.toFixed(9), '1.757368058');
  t.equal(rendezvousScore({ hash: hashText('x'), weight: 0 }, hashText('y')), 0);
  t.end();
});
