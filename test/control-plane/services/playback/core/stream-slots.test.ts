import fc from 'fast-check';
import t from 'tap';

import { StreamSlots } from '../../../../../control-plane/services/playback/core/stream-slots.ts';

t.test('streams of an account', async (t) => {
  const slots = new StreamSlots({ streamsMax: 100 });
  const begin = (session: string, nowMs: number, account = 'anna') =>
    slots.begin(session, { account, max: 1, nowMs });
  t.ok(begin('a', 0));
  t.notOk(begin('b', 299_999), 'a player that need not report counts for five minutes');
  t.ok(begin('b', 299_999, 'berta'), 'another account has its own');
  t.ok(begin('c', 300_000));
  slots.heard('c', 310_000);
  t.notOk(begin('d', 369_999));
  t.ok(begin('d', 370_000));
  slots.heard('unknown', 0);
  slots.end('unknown');
  slots.rest('d');
  t.ok(begin('e', 370_001));
  slots.heard('d', 370_002);
  slots.rest('e');
  slots.heard('e', 370_003);
  t.notOk(begin('f', 370_004), 'one that is heard again counts again');
  slots.end('e');
  t.ok(begin('f', 370_005));
});

t.test('never more than may be, and never more kept than the bound', async () => {
  const step = fc.record({
    session: fc.integer({ min: 0, max: 20 }),
    what: fc.constantFrom('begin', 'heard', 'rest', 'end'),
    passMs: fc.integer({ min: 0, max: 100_000 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const slots = new StreamSlots({ streamsMax: 1000 });
      const until = new Map<string, number>();
      let nowMs = 0;
      for (const [index, { session, what, passMs }] of steps.entries()) {
        nowMs += passMs;
        const playing = [...until.values()].filter((endMs) => endMs > nowMs).length;
        const id = what === 'begin' ? `new-${index}` : ([...until.keys()][session] ?? 'none');
        if (what === 'begin') {
          const isTaken = slots.begin(id, { account: 'anna', max: 3, nowMs });
          if (isTaken !== playing < 3) return false;
          // Those that were silent for too long are forgotten when another begins.
          for (const [known, endMs] of [...until]) if (endMs <= nowMs) until.delete(known);
          if (!isTaken) continue;
          until.set(id, nowMs + 300_000);
        } else if (what === 'heard') {
          slots.heard(id, nowMs);
          if (until.has(id)) until.set(id, nowMs + 60_000);
        } else if (what === 'rest') {
          slots.rest(id);
          if (until.has(id)) until.set(id, 0);
        } else {
          slots.end(id);
          until.delete(id);
        }
      }
      return true;
    }),
  );
});
