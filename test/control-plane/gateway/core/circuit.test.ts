import fc from 'fast-check';
import t from 'tap';

import { Circuit, circuitDefaults } from '../../../../control-plane/gateway/core/circuit.ts';
import { RetryBudget } from '../../../../control-plane/gateway/core/retry-budget.ts';

const { failuresMax, openMs, openMsMax } = circuitDefaults;

function fail(circuit: Circuit, times: number, nowMs: number): void {
  for (let at = 0; at < times; at++) {
    circuit.enter(circuit, nowMs);
    circuit.end(circuit, 'failed', nowMs);
  }
}

/** A request. */
const one = {};

t.test('failures in a row open it, one trial closes it', (t) => {
  const circuit = new Circuit(circuitDefaults);
  fail(circuit, failuresMax - 1, 0);
  circuit.end(one, 'succeeded', 0);
  fail(circuit, failuresMax - 1, 0);
  t.equal(circuit.state(0), 'closed', 'a success between them counts');
  fail(circuit, 1, 0);
  t.equal(circuit.state(0), 'open');
  t.notOk(circuit.enter(one, openMs - 1));
  circuit.end(one, 'failed', openMs - 1);
  t.equal(circuit.state(openMs), 'half-open', 'what was sent before and fails later prolongs nothing');
  t.ok(circuit.enter(one, openMs));
  t.notOk(circuit.enter(one, openMs), 'one trial at a time');
  circuit.end(one, 'left', openMs);
  t.ok(circuit.enter(one, openMs), 'a trial that nobody waited for told nothing');
  circuit.end(one, 'succeeded', openMs);
  t.equal(circuit.state(openMs), 'closed');
  t.end();
});

t.test('while one tries, others that were sent before it opened may end as they like', (t) => {
  const circuit = new Circuit(circuitDefaults);
  const early = {};
  circuit.enter(early, 0);
  fail(circuit, failuresMax, 0);
  t.ok(circuit.enter(one, openMs));
  for (const outcome of ['failed', 'left'] as const) {
    circuit.end(early, outcome, openMs);
    t.notOk(circuit.enter({}, openMs), `no second trial: ${outcome}`);
  }
  circuit.end(one, 'left', openMs);
  t.ok(circuit.enter(one, openMs), 'nor was it the trial that failed');
  circuit.end(early, 'succeeded', openMs);
  t.equal(circuit.state(openMs), 'closed', 'who answers is there');
  circuit.end(one, 'failed', openMs);
  t.equal(circuit.state(openMs), 'closed', 'what failed then is one failure');
  t.end();
});

t.test('each trial that fails doubles the wait, to a bound', (t) => {
  const circuit = new Circuit(circuitDefaults);
  fail(circuit, failuresMax, 0);
  let nowMs = openMs;
  let waitMs = openMs;
  for (let trial = 0; trial < 10; trial++) {
    t.ok(circuit.enter(one, nowMs));
    circuit.end(one, 'failed', nowMs);
    waitMs = Math.min(openMsMax, waitMs * 2);
    t.notOk(circuit.enter(one, nowMs + waitMs - 1));
    nowMs += waitMs;
  }
  t.equal(waitMs, openMsMax);
  t.end();
});

t.test('retries are a tenth of the requests, and ten more', (t) => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 2000 }), (steps) => {
      const budget = new RetryBudget();
      let requests = 0;
      let retries = 0;
      for (const isRetry of steps) {
        if (!isRetry) {
          requests++;
          budget.note();
        } else if (budget.take()) retries++;
        if (retries > 10 + 0.1 * requests + 1e-6) return false;
      }
      return true;
    }),
  );
  const budget = new RetryBudget();
  let retries = 0;
  for (let at = 0; at < 1000; at++) {
    budget.note();
    while (budget.take()) retries++;
  }
  t.ok(retries >= 109 && retries <= 110, `all that is promised: ${retries}`);
  t.end();
});
