import fc from 'fast-check';
import t from 'tap';

import type { LoadLevel } from '../../../appliance/core/judge-load.ts';
import { Pacer } from '../../../appliance/fill/pacer.ts';
import type { Clock } from '../../../common/runtime/clock.ts';

const kib = 1024;
const burstBytes = (rate: number): number => Math.max(256 * kib, rate / 20);

/** A clock whose hands are set. */
function setClock(): Clock & { atMs: number } {
  const clock = {
    atMs: 0,
    nowMs: () => clock.atMs,
    monotonicMs: () => clock.atMs,
    sleep: () => Promise.reject(new Error('nobody sleeps here')),
  };
  return clock;
}

interface Passed {
  readonly atMs: number;
  readonly bytes: number;
  readonly source: string;
}

/** Flows that take as fast as they may for a while. */
function play(
  pacer: Pacer,
  clock: { atMs: number },
  flows: readonly { source: string; partBytes: number; pauseMs: number }[],
): Passed[] {
  const passed: Passed[] = [];
  const next = flows.map(() => 0);
  while (passed.length < 300) {
    const turn = next.indexOf(Math.min(...next));
    const flow = flows[turn];
    if (flow === undefined) break;
    clock.atMs = next[turn] ?? 0;
    const waitMs = pacer.take(flow.partBytes, flow.source);
    passed.push({ atMs: clock.atMs, bytes: flow.partBytes, source: flow.source });
    next[turn] = clock.atMs + waitMs + flow.pauseMs;
  }
  return passed;
}

/** Whether no time between any two parts brought more than its rate, the burst before it, and a part in each flow's hands. */
function holds(passed: readonly Passed[], rate: number, flows: number): boolean {
  const largest = Math.max(0, ...passed.map(({ bytes }) => bytes));
  for (const [from, first] of passed.entries()) {
    let bytes = 0;
    for (const each of passed.slice(from)) {
      bytes += each.bytes;
      const elapsedMs = each.atMs - first.atMs;
      if (bytes > burstBytes(rate) + flows * largest + (rate * elapsedMs) / 1000 + 1) return false;
    }
  }
  return true;
}

t.test(
  'no cap is ever exceeded: not the box’s by all flows together, a source’s by its own, a link’s by what comes over it',
  (t) => {
    const rate = fc.integer({ min: 1000, max: 10 ** 9 });
    const flow = fc.record({
      source: fc.constantFrom('a', 'b', 'c'),
      partBytes: fc.integer({ min: 1, max: 64 * kib }),
      pauseMs: fc.integer({ min: 0, max: 50 }),
    });
    fc.assert(
      fc.property(
        fc.array(flow, { minLength: 1, maxLength: 6 }),
        fc.record({ boxRate: rate, sourceRate: rate, linkRate: rate }),
        (flows, { boxRate, sourceRate, linkRate }) => {
          const clock = setClock();
          const pacer = new Pacer({ clock, sourceBytesPerSecond: sourceRate, level: () => 'normal' });
          pacer.setRate(boxRate);
          const link = { from: 'there', nodes: ['a', 'b'], capBytesPerSecond: linkRate };
          pacer.setLinks([link]);
          const passed = play(pacer, clock, flows);
          const bySource = Map.groupBy(passed, ({ source }) => source);
          const sources = [...bySource.values()];
          const overLink = passed.filter(({ source }) => link.nodes.includes(source));
          return (
            holds(passed, boxRate, flows.length) &&
            holds(overLink, linkRate, flows.length) &&
            sources.every((own) => holds(own, sourceRate, flows.length))
          );
        },
      ),
      { numRuns: 60 },
    );
    t.end();
  },
);

t.test('a night that was missed is caught up at the same rate: what was not used is not saved', (t) => {
  const clock = setClock();
  const pacer = new Pacer({ clock, level: () => 'normal' });
  pacer.setRate(1000 * kib);
  clock.atMs = 24 * 3_600_000;
  t.equal(pacer.take(256 * kib, 'a'), 0, 'the burst');
  t.equal(pacer.take(1000 * kib, 'a'), 1000, 'and no more');
  t.end();
});

t.test('told the same caps again, what is owed to them stays owed; other caps count at once', (t) => {
  const pacer = new Pacer({ clock: setClock(), level: () => 'normal' });
  const link = (capBytesPerSecond: number) => [{ from: 'there', nodes: ['a'], capBytesPerSecond }];
  pacer.setLinks(link(1000 * kib));
  pacer.take(256 * kib, 'a');
  pacer.setLinks(link(1000 * kib));
  t.equal(pacer.take(1000 * kib, 'a'), 1000);
  t.equal(pacer.take(1000 * kib, 'b'), 0, 'it comes another way');
  pacer.setLinks([]);
  t.equal(pacer.take(1000 * kib, 'a'), 0);
  t.end();
});

t.test('without a cap, nobody waits', (t) => {
  const pacer = new Pacer({ clock: setClock(), level: () => 'normal' });
  for (let part = 0; part < 1000; part++) t.equal(pacer.take(2 ** 20, 'a'), 0);
  t.end();
});

t.test('while viewers keep the box busy, fill steps back; afterwards it is free again', (t) => {
  const clock = setClock();
  let level: LoadLevel = 'normal';
  const pacer = new Pacer({ clock, level: () => level });
  const flow = { source: 'a', partBytes: 64 * kib, pauseMs: 1 };
  /** What passes in two seconds. */
  const bytesInTwoSeconds = (): number => {
    const fromMs = clock.atMs;
    let bytes = 0;
    while (clock.atMs < fromMs + 2000) {
      bytes += flow.partBytes;
      clock.atMs += flow.pauseMs + pacer.take(flow.partBytes, flow.source);
    }
    return bytes;
  };
  const free = bytesInTwoSeconds();
  level = 'shed-fill';
  const first = bytesInTwoSeconds();
  const second = bytesInTwoSeconds();
  t.ok(first < free / 2, 'it steps back');
  t.ok(second < first / 2, 'and further');
  level = 'shed-all';
  bytesInTwoSeconds();
  t.ok(bytesInTwoSeconds() <= 3 * 256 * kib, 'to next to nothing');
  level = 'normal';
  for (let look = 0; look < 10; look++) bytesInTwoSeconds();
  t.equal(bytesInTwoSeconds(), free);
  t.end();
});
