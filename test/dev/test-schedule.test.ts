import t from 'tap';
import { planProcesses, widthOf } from '../support/test-schedule.ts';

const pure = Array.from({ length: 13 }, (_, at) => `test/common/core/${at}.test.ts`);

t.test('each file runs once: one with processes by itself, pure ones beside others', (t) => {
  const alone = ['test/cli/a.test.ts', 'test/e2e/b.test.ts'];
  const plan = planProcesses([...pure, ...alone], {});
  t.strictSame(plan.flat().toSorted(), [...pure, ...alone].toSorted());
  t.ok(alone.every((file) => plan.some((files) => files.length === 1 && files[0] === file)));
  t.equal(plan.length, alone.length + 2);
  t.strictSame(planProcesses([], {}), []);
  t.end();
});

t.test('what took longest starts first; what is not known starts by the folder that it is in', (t) => {
  const files = [
    'test/cli/a.test.ts',
    'test/e2e/b.test.ts',
    'test/common/c.test.ts',
    'test/common/d.test.ts',
  ];
  const plan = planProcesses([...files, ...pure], { 'test/common/d.test.ts': { wallS: 70, cpuS: 1 } });
  t.strictSame(plan.slice(0, 3).flat(), [
    'test/common/d.test.ts',
    'test/e2e/b.test.ts',
    'test/cli/a.test.ts',
  ]);
  t.end();
});

t.test('real players start first, and leave room for one beside them', (t) => {
  const players = 'test/e2e/players.test.ts';
  const plan = planProcesses(['test/e2e/apart.test.ts', players], {
    'test/e2e/apart.test.ts': { wallS: 200, cpuS: 1 },
  });
  t.strictSame(plan, [[players], ['test/e2e/apart.test.ts']]);
  t.strictSame(plan.map(widthOf), [2, 1]);
  t.end();
});
