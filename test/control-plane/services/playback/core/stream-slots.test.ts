import fc from 'fast-check';
import t from 'tap';

import { StreamSlots } from '../../../../../control-plane/services/playback/core/stream-slots.ts';

t.test('streams of an account', async (t) => {
  const slots = new StreamSlots({ streamsMax: 100 });
  const begin = (session: string, nowMs: number, account = 'anna') =>
    slots.begin(session, { account, device: 'tv', max: 1, nowMs });
  t.ok(begin('a', 0));
  t.notOk(begin('b', 299_999), 'a player that need not report counts for five minutes');
  t.ok(begin('b', 299_999, 'berta'), 'another account has its own');
  t.ok(begin('c', 300_000));
  slots.heard('c', 310_000);
  t.notOk(begin('d', 369_999));
  t.ok(begin('d', 370_000));
  slots.heard('unknown', 0);
  slots.end('unknown');
  slots.rest('d', 370_000);
  t.ok(begin('e', 370_001));
  slots.rest('e', 370_002);
  slots.heard('e', 370_003);
  t.notOk(begin('f', 370_004), 'one that is heard again counts again');
  slots.end('e');
  t.ok(begin('f', 370_005));
});

t.test('to say that it ends and play on makes no room', async (t) => {
  const slots = new StreamSlots({ streamsMax: 100 });
  const begin = (session: string, device: string, nowMs: number) =>
    slots.begin(session, { account: 'anna', device, max: 1, nowMs });
  t.ok(begin('a', 'tv', 0));
  slots.rest('a', 1000);
  slots.rest('a', 9000);
  t.notOk(begin('b', 'phone', 10_999), 'for some seconds another device waits');
  t.ok(begin('b', 'phone', 11_000));
  slots.heard('a', 12_000);
  slots.end('b');
  t.notOk(begin('c', 'phone', 13_000), 'it plays on, and has its place again');
  slots.rest('a', 13_000);
  t.ok(begin('d', 'tv', 13_001), 'whoever takes another film on the same device does not wait');
  slots.rest('d', 13_002);
  slots.heard('a', 13_003);
  t.notOk(begin('e', 'tv', 13_004));
  t.ok(begin('f', 'phone', 133_004));
  slots.heard('a', 133_005);
  slots.rest('f', 133_006);
  t.ok(begin('g', 'phone', 133_007), 'after a minute more it is forgotten');
});

t.test('never more than may be, and never more kept than the bound', async () => {
  const step = fc.record({
    session: fc.integer({ min: 0, max: 20 }),
    what: fc.constantFrom('begin', 'heard', 'rest', 'end'),
    device: fc.constantFrom('tv', 'phone'),
    passMs: fc.integer({ min: 0, max: 100_000 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const slots = new StreamSlots({ streamsMax: 1000 });
      const known = new Map<string, { device: string; untilMs: number; hasEnded: boolean }>();
      let nowMs = 0;
      for (const [index, { session, what, device, passMs }] of steps.entries()) {
        nowMs += passMs;
        const playing = [...known.values()].filter(
          (one) => one.untilMs > nowMs && !(one.hasEnded && one.device === device),
        ).length;
        const id = what === 'begin' ? `new-${index}` : ([...known.keys()][session] ?? 'none');
        const meant = known.get(id);
        if (what === 'begin') {
          const isTaken = slots.begin(id, { account: 'anna', device, max: 3, nowMs });
          if (isTaken !== playing < 3) return false;
          // Those that were silent for too long are forgotten when another begins.
          for (const [old, { untilMs }] of [...known]) if (untilMs + 60_000 <= nowMs) known.delete(old);
          if (isTaken) known.set(id, { device, untilMs: nowMs + 300_000, hasEnded: false });
        } else if (what === 'heard') {
          slots.heard(id, nowMs);
          if (meant) Object.assign(meant, { untilMs: nowMs + 60_000, hasEnded: false });
        } else if (what === 'rest') {
          slots.rest(id, nowMs);
          if (meant)
            Object.assign(meant, { untilMs: Math.min(meant.untilMs, nowMs + 10_000), hasEnded: true });
        } else {
          slots.end(id);
          known.delete(id);
        }
      }
      return true;
    }),
  );
});
