import t from 'tap';
import { createSeededChance } from '../../../../common/runtime/chance.ts';
import { createBusyTime } from '../../../../control-plane/services/fill/busy-time.ts';

t.test('overlaps count once, gaps not at all, in whatever order they come', (t) => {
  const busy = createBusyTime();
  t.equal(busy.totalMs(), 0);
  busy.add({ startMs: 100, endMs: 200 });
  busy.add({ startMs: 150, endMs: 250 });
  busy.add({ startMs: 10, endMs: 20 });
  busy.add({ startMs: 110, endMs: 120 });
  busy.add({ startMs: 250, endMs: 260 });
  busy.add({ startMs: 500, endMs: 400 });
  t.equal(busy.totalMs(), 170);
  t.equal(busy.totalMs(), 170, 'asking changes nothing');
  t.end();
});

t.test('the same as counting every millisecond', (t) => {
  const chance = createSeededChance(7);
  for (const gap of [20, 2000]) {
    const busy = createBusyTime();
    const seen = new Set<number>();
    for (let count = 0; count < 5000; count++) {
      const startMs = Math.floor(chance.fraction() * 100 * gap);
      const endMs = startMs + Math.floor(chance.fraction() * 30);
      busy.add({ startMs, endMs });
      for (let at = startMs; at < endMs; at++) seen.add(at);
    }
    t.equal(busy.totalMs(), seen.size);
  }
  t.end();
});
