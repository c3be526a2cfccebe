import fc from 'fast-check';
import t from 'tap';

import {
  priorities,
  PriorityGate,
  priorityShares,
  type Priority,
} from '../../../../control-plane/gateway/core/priority-gate.ts';

function times(count: number, act: () => unknown): void {
  for (let at = 0; at < count; at++) act();
}

t.test('idle shares are lent, and are there for their owners all the same', (t) => {
  const gate = new PriorityGate<string>({ limit: 20, waitingMax: 2 });
  times(20, () => t.ok(gate.enter('browse'), 'all places, while nobody else is there'));
  t.notOk(gate.enter('browse'));
  t.notOk(gate.enter('browse'), 'a refusal takes nothing');
  times(10, () => t.ok(gate.enter('playback'), 'half of the places'));
  t.notOk(gate.enter('playback'));
  times(4, () => t.ok(gate.enter('sign-in')));
  times(2, () => t.ok(gate.enter('background')));
  t.notOk(gate.enter('background'));
  t.equal(gate.inside, 36);
  t.end();
});

t.test('a place that becomes free goes to the most important who waits', (t) => {
  const gate = new PriorityGate<string>({ limit: 2, waitingMax: 2 });
  times(2, () => gate.enter('playback'));
  gate.enter('browse');
  t.ok(gate.wait('browse', 'b1', 100));
  t.ok(gate.wait('playback', 'p1', 110));
  t.ok(gate.wait('playback', 'p2', 120));
  t.notOk(gate.wait('playback', 'p3', 130), 'lines are bounded');
  t.strictSame(gate.leave('playback'), [], 'as many as the limit are still inside');
  t.strictSame(gate.leave('browse'), ['p1', 'b1'], 'the free place, and the share of browsing');
  t.strictSame(gate.expire(119), [], 'those who are inside are not waiting');
  t.strictSame(gate.expire(120), ['p2']);
  t.equal(gate.waiting, 0);
  t.ok(gate.wait('background', 'late', 200));
  t.strictSame(gate.setLimit(10), ['late'], 'more places let more in');
  t.end();
});

t.test('whatever happens: bounded, no place is lost, nobody is kept out of a share', (t) => {
  const priority = fc.constantFrom(...priorities);
  const step = fc.oneof(
    fc.record({ act: fc.constant('come' as const), priority }),
    fc.record({ act: fc.constant('leave' as const), priority }),
    fc.record({ act: fc.constant('limit' as const), limit: fc.integer({ min: 1, max: 50 }) }),
    fc.record({ act: fc.constant('expire' as const) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const gate = new PriorityGate<Priority>({ limit: 10, waitingMax: 3 });
      const inside: Record<Priority, number> = { playback: 0, 'sign-in': 0, browse: 0, background: 0 };
      const note = (entered: readonly Priority[]): void => {
        for (const who of entered) inside[who]++;
      };
      const sure = (who: Priority): number => Math.max(1, Math.ceil(gate.limit * priorityShares[who]));
      for (const [nowMs, one] of steps.entries()) {
        if (one.act === 'come') {
          const isOwed = inside[one.priority] < sure(one.priority);
          const isIn = gate.enter(one.priority);
          if (isIn) inside[one.priority]++;
          else if (isOwed || gate.inside < gate.limit) return false;
          else gate.wait(one.priority, one.priority, nowMs + 20);
        } else if (one.act === 'leave') {
          if (inside[one.priority] === 0) continue;
          inside[one.priority]--;
          note(gate.leave(one.priority));
        } else if (one.act === 'limit') {
          note(gate.setLimit(one.limit));
        } else {
          gate.expire(nowMs);
        }
        if (priorities.some((who) => gate.insideOf(who) !== inside[who])) return false;
        if (gate.waiting > 12) return false;
      }
      return true;
    }),
    { numRuns: 500 },
  );
  t.end();
});
