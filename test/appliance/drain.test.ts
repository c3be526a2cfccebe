import t from 'tap';

import { Drain } from '../../appliance/drain.ts';
import { createManualClock } from '../../common/runtime/manual-clock.ts';

/** A drain over serving that says what the test lets it say, and what it was told. */
function world() {
  const clock = createManualClock();
  const told: string[] = [];
  const load = { liveRequests: 0, liveSessions: 0 };
  const drain = new Drain({
    clock,
    drainMs: 10_000,
    announce: () => {
      told.push('announced');
      return Promise.resolve();
    },
    serving: {
      admit: (admission) => void told.push(`admits ${admission}`),
      setState: (state) => void told.push(`is ${state}`),
      load: () => ({
        ...load,
        connections: 0,
        failures: 0,
        headroom: 1,
        level: 'normal',
        reasons: [],
        openFiles: 0,
      }),
      close: (deadlineMs) => {
        told.push(`closes within ${deadlineMs}`);
        return Promise.resolve();
      },
    },
  });
  return { clock, told, load, drain };
}

t.test(
  "an operator's drain keeps who plays, can be taken back, and says when it will be over",
  async (test) => {
    const { clock, told, load, drain } = world();
    test.same([drain.state, drain.etaMs()], ['ready', undefined]);
    load.liveSessions = 4;
    drain.setWanted(true);
    drain.setWanted(true);
    test.same(told.splice(0), ['admits known-sessions', 'is draining']);
    test.same([drain.state, drain.etaMs()], ['draining', undefined]);
    await clock.advance(30_000);
    load.liveSessions = 3;
    test.equal(drain.etaMs(), 90_000);
    drain.setWanted(false);
    test.same(told.splice(0), ['admits all', 'is ready']);
    test.same([drain.state, drain.etaMs()], ['ready', undefined]);
  },
);

t.test(
  'the end tells steering, gives what is in flight a moment, then refuses everyone and closes',
  async (test) => {
    const { clock, told, load, drain } = world();
    load.liveRequests = 1;
    load.liveSessions = 1;
    const ended = drain.end();
    await clock.advance(500);
    test.same(told.splice(0), ['admits known-sessions', 'is draining', 'announced']);
    test.equal(drain.etaMs(), 9500, 'what is left of the time, at most');
    drain.setWanted(true);
    test.same(told.splice(0), [], 'nothing takes the end back');
    await clock.advance(500);
    load.liveRequests = 0;
    await clock.advance(100);
    await ended;
    test.match(told, ['admits nobody', /^closes within (89|90)\d\d$/]);
  },
);

t.test('a box that serves nobody waits for nobody', async (test) => {
  const { told, drain } = world();
  await drain.end();
  test.same(told, [
    ...['admits known-sessions', 'is draining', 'announced', 'admits nobody', 'closes within 10000'],
  ]);
  test.equal(drain.etaMs(), 0);
});
