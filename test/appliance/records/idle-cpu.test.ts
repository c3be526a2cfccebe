import t from 'tap';

import { idleCpu } from '../../../appliance/records/idle-cpu.ts';

void t.test('quiet is half of the time idle, of all CPUs together, since it was last asked', (test) => {
  const times = { user: 0, nice: 0, sys: 0, irq: 0, idle: 0 };
  const busy = { ...times };
  const isQuiet = idleCpu(() => [{ times }, { times: busy }]);
  times.idle = 100;
  busy.user = 100;
  test.equal(isQuiet(), true);
  times.sys = 10;
  busy.sys = 10;
  test.equal(isQuiet(), false, 'nothing was idle since');
  test.equal(isQuiet(), false, 'no time passed');
  times.idle += 10;
  busy.nice = 5;
  busy.irq = 4;
  test.equal(isQuiet(), true);
  test.end();
});

void t.test('this machine says one or the other', (test) => {
  test.type(idleCpu()(), 'boolean');
  test.end();
});
