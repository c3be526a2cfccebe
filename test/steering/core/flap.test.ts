import fc from 'fast-check';
import t from 'tap';
import { calm, flapPolicyDefault, noteLoss, reuseInMs, settle } from '../../../steering/core/flap.ts';
import { observe, unprobed, type ProbeState } from '../../../steering/core/health.ts';

const policy = flapPolicyDefault;

t.test(
  'three losses in a short time suppress, quiet brings it back, and nothing suppresses for ever',
  (t) => {
    let state = noteLoss(calm, 0, policy);
    state = noteLoss(state, 10_000, policy);
    t.notOk(state.suppressed, 'two losses are a restart that went wrong');
    state = noteLoss(state, 20_000, policy);
    t.ok(state.suppressed);
    const inMs = reuseInMs(state, 20_000, policy);
    t.ok(settle(state, 20_000 + inMs - 100, policy).suppressed);
    t.notOk(settle(state, 20_000 + inMs, policy).suppressed);
    for (let at = 0; at < 100_000; at++) state = noteLoss(state, 20_000 + at, policy);
    t.ok(reuseInMs(state, 120_000, policy) <= policy.suppressMsMax + 2, 'the penalty has a ceiling');
    t.equal(reuseInMs(calm, 0, policy), 0);
    t.notOk(noteLoss(noteLoss(calm, 0, policy), 3_600_000, policy).penalty > 1001, 'an hour forgets');
    t.end();
  },
);

/** What a prober makes of a box that is up and down in turn: changes of what is shown, by time. */
function shownChanges(outcomes: readonly { good: boolean; afterMs: number }[]): number[] {
  let state: ProbeState = observe(
    unprobed(0),
    { kind: 'ok', draining: false, probeMs: 1 },
    { nowMs: 0, monotonicMs: 0, policy: { downAfter: 2, upAfter: 2 } },
  );
  let flap = calm;
  let nowMs = 0;
  let shown = 'up';
  const changes: number[] = [];
  for (const { good, afterMs } of outcomes) {
    nowMs += afterMs;
    const before = state.verdict;
    state = observe(
      state,
      good ? { kind: 'ok', draining: false, probeMs: 1 } : { kind: 'failed', reason: 'x' },
      { nowMs, monotonicMs: nowMs, policy: { downAfter: 2, upAfter: 2 } },
    );
    flap = settle(flap, nowMs, policy);
    if (state.verdict === 'down' && before === 'up') flap = noteLoss(flap, nowMs, policy);
    const now = flap.suppressed || state.verdict === 'down' ? 'down' : 'up';
    if (now !== shown) changes.push(nowMs);
    shown = now;
  }
  return changes;
}

function mostPerMinute(changes: readonly number[]): number {
  return Math.max(
    0,
    ...changes.map((from) => changes.filter((at) => at >= from && at < from + 60_000).length),
  );
}

t.test(
  'a box that flaps at whatever frequency is shown to change a bounded number of times a minute',
  (t) => {
    const most: Record<number, number> = {};
    for (const halfPeriodMs of [
      200, 400, 600, 1000, 2000, 5000, 10_000, 15_000, 20_000, 24_000, 30_000, 60_000,
    ]) {
      const outcomes = Array.from({ length: Math.ceil(1_200_000 / 200) }, (_, at) => ({
        good: Math.floor((at * 200) / halfPeriodMs) % 2 === 0,
        afterMs: 200,
      }));
      most[halfPeriodMs] = mostPerMinute(shownChanges(outcomes));
    }
    t.comment(`most changes within a minute, by half a period in ms: ${JSON.stringify(most)}`);
    t.ok(Object.values(most).every((count) => count <= 6));
    fc.assert(
      fc.property(
        fc.array(fc.record({ good: fc.boolean(), afterMs: fc.integer({ min: 200, max: 30_000 }) }), {
          minLength: 50,
          maxLength: 400,
        }),
        (outcomes) => mostPerMinute(shownChanges(outcomes)) <= 7,
      ),
    );
    t.end();
  },
);
