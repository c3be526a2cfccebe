import { globSync, readFileSync } from 'node:fs';

import t from 'tap';
import { parseRun, planProcesses, runsOf, widthOf } from '../support/test-schedule.ts';

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

t.test('real players start first, either way, and leave room for one beside them', (t) => {
  const [players = '', apart = ''] = runsOf('test/e2e/players.test.ts');
  const plan = planProcesses(['test/e2e/kills.test.ts', players, apart], {
    'test/e2e/kills.test.ts': { wallS: 200, cpuS: 1 },
  });
  t.strictSame(plan, [[players], [apart], ['test/e2e/kills.test.ts']]);
  t.strictSame(plan.map(widthOf), [2, 2, 1]);
  t.end();
});

t.test('end-to-end tests run in one process and again with every service apart', (t) => {
  const files = globSync('test/e2e/*.test.ts');
  const apart = files.flatMap(runsOf).filter((run) => parseRun(run).isApart);
  t.strictSame(
    files.filter((file) => !apart.includes(`${file}:apart`)).toSorted(),
    ['test/e2e/demo.test.ts', 'test/e2e/services-soak.test.ts'],
    'but what decides for itself how its control plane runs',
  );
  for (const { file } of apart.map(parseRun))
    t.notMatch(readFileSync(file, 'utf8'), /\bstartPlane\b/, `${file} heeds which of both it is`);
  t.strictSame(runsOf('test/cli/main.test.ts'), ['test/cli/main.test.ts']);
  t.strictSame(parseRun('test/e2e/kills.test.ts:apart'), { file: 'test/e2e/kills.test.ts', isApart: true });
  t.end();
});
