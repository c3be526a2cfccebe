import t from 'tap';

import { chooseWay, type FillWay, type SourceState } from '../../../appliance/core/choose-way.ts';

const way = (kind: FillWay['kind'], node: string, waitMs = 0): FillWay => ({ kind, node, base: '', waitMs });

function chooser(states: Readonly<Record<string, Partial<SourceState>>>) {
  return (ways: FillWay[], nowMs: number, spent: string[] = []) =>
    chooseWay({
      ways,
      nowMs,
      wantedSinceMs: 0,
      spent: new Set(spent),
      stateOf: (node) => ({
        ...{ restUntilMs: 0, demotedUntilMs: 0, inFlight: 0, bytesPerSecond: undefined },
        ...states[node],
      }),
    });
}

t.test(
  'peer before tier before origin, each after its wait; the least busy of equals; never one that rests',
  (t) => {
    const choose = chooser({ resting: { restUntilMs: 900 }, busy: { inFlight: 3 } });
    const ways = [way('origin', 'o', 500), way('peer', 'busy'), way('peer', 'idle'), way('tier', 't', 100)];
    t.match(choose(ways, 0), { way: { node: 'idle' } });
    t.match(choose(ways, 0, ['idle']), { way: { node: 'busy' } });
    t.same(choose(ways, 0, ['idle', 'busy']), { kind: 'wait', waitMs: 100 });
    t.match(choose(ways, 200, ['idle', 'busy']), { way: { node: 't' } });
    t.match(choose(ways, 600, ['idle', 'busy', 't']), { way: { node: 'o' } });
    t.same(choose([way('peer', 'resting')], 100), { kind: 'wait', waitMs: 800 });
    t.same(choose([], 0), { kind: 'none' });
    t.end();
  },
);

t.test('a source that was demoted comes after all others, and is still better than none', (t) => {
  const choose = chooser({ slow: { demotedUntilMs: 1000 } });
  const ways = [way('peer', 'slow'), way('origin', 'o', 500)];
  t.match(choose(ways, 100), { way: { node: 'slow' } }, 'nobody else may be asked yet');
  t.match(choose(ways, 600), { way: { node: 'o' } });
  t.match(choose(ways, 1000), { way: { node: 'slow' } }, 'its time is over');
  t.end();
});

t.test('of equals the faster one gets more transfers, and the slower one still some', (t) => {
  const inFlight = { fast: 0, slow: 0 };
  const counts = { fast: 0, slow: 0 };
  for (let transfer = 0; transfer < 9; transfer++) {
    const choose = chooser({
      slow: { bytesPerSecond: 1e6, inFlight: inFlight.slow },
      fast: { bytesPerSecond: 1e8, inFlight: inFlight.fast },
    });
    const chosen = choose([way('peer', 'slow'), way('peer', 'fast')], 0);
    if (chosen.kind !== 'way') continue;
    const node = chosen.way.node as keyof typeof counts;
    inFlight[node]++;
    counts[node]++;
  }
  t.same(counts, { fast: 6, slow: 3 });
  t.end();
});

t.test('a source of which nothing is known is taken for as fast as the fastest', (t) => {
  const choose = chooser({ known: { bytesPerSecond: 1e8, inFlight: 1 } });
  t.match(choose([way('peer', 'known'), way('peer', 'new')], 0), { way: { node: 'new' } });
  t.end();
});
