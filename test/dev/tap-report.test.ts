import t from 'tap';
import { TapReport, type TestProcess } from '../support/tap-report.ts';

/** What a process of one file said that ended by itself. */
function said(tap: string, more: Partial<TestProcess> = {}): TestProcess {
  return { files: ['test/a.test.ts'], lines: tap.split('\n'), end: 0, wallS: 1.04, ...more };
}

function reportOf(
  processes: readonly TestProcess[],
  options: { isFinal?: boolean; passedAgain?: readonly string[] } = {},
): { lines: string[]; passed: boolean; failedFiles: readonly string[] } {
  const { isFinal = true, passedAgain = [] } = options;
  const lines: string[] = [];
  const report = new TapReport(
    (line) => lines.push(line),
    () => isFinal,
  );
  for (const one of processes) report.add(one);
  const { failedFiles } = report;
  return { passed: report.end(passedAgain), lines, failedFiles };
}

const failing = `TAP version 14
# file: test/a.test.ts
# Subtest: passes
    ok 1 - should be equal
    1..1
ok 1 - passes # time=1ms
# Subtest: adds
    ok 1 - should be equal
    not ok 2 - should match
      ---
      at: a.test.ts:4
      ...
    1..2
not ok 2 - adds # time=6.2ms
ok 3 - remote # SKIP no database
1..3
# { total: 3, pass: 1, fail: 1, skip: 1 }
# time=240ms`;

const passing = '# file: test/b.test.ts\n# Subtest: x\n    ok 1 - y\n    1..1\nok 1 - x # time=500ms';
const totals = '1..1\n# { total: 1, pass: 1 }\n# time=20ms';

t.test('prints what failed, the file, the skips with their reason and the counts last', (t) => {
  const { lines, passed } = reportOf([said(failing, { end: 1 })]);
  const text = lines.join('\n');
  t.notOk(passed);
  t.match(text, 'not ok 2 - should match\n      ---\n      at: a.test.ts:4');
  t.notMatch(text, 'should be equal');
  t.notMatch(text, 'passes');
  t.match(text, /^FAILED +1\.0 s {2}test\/a\.test\.ts {2}\(1 skipped\)$/m);
  t.match(text, /^skipped 1: no database$/m);
  t.equal(lines.at(-1), '1 passed, 1 failed, 1 skipped');
  t.end();
});

t.test('a passing file takes one line', (t) => {
  const { lines, passed } = reportOf([said(`${passing}\n${totals}`, { files: ['test/b.test.ts'] })]);
  t.ok(passed);
  t.strictSame(lines, ['ok         1.0 s  test/b.test.ts', '1 passed, 0 failed, 0 skipped']);
  t.end();
});

t.test('files that share a process have a line each, and their own failures', (t) => {
  const files = ['test/a.test.ts', 'test/b.test.ts'];
  const both = failing.replace(/\n1\.\.3[^]*$/, `\n${passing.replace('ok 1', 'ok 4')}\n${totals}`);
  const { lines, failedFiles } = reportOf([said(both, { files, end: 1 })]);
  t.strictSame(failedFiles, ['test/a.test.ts']);
  t.match(lines.at(-3), /^ok +0\.5 s {2}test\/b\.test\.ts$/);
  t.end();
});

t.test('a process that ends before its tests do has failed, with what it did not reach', (t) => {
  const files = ['test/b.test.ts', 'test/a.test.ts'];
  const cut = reportOf([said(passing, { files, end: 'SIGKILL' })]);
  t.notOk(cut.passed);
  t.strictSame(cut.failedFiles, files);
  t.match(cut.lines.join('\n'), 'Its process ended before its tests did, with SIGKILL.');
  t.match(cut.lines.join('\n'), 'It was not reached.');
  t.equal(cut.lines.at(-1), '0 passed, 1 failed, 0 skipped');

  const late = reportOf([said(`${passing}\n${totals}`, { files: ['test/b.test.ts'], end: 1 })]);
  t.strictSame(late.failedFiles, ['test/b.test.ts'], 'after its last test');
  t.equal(late.lines.at(-1), '1 passed, 1 failed, 0 skipped');
  t.equal(reportOf([said('', { end: 1 })]).passed, false, 'before its first');
  t.end();
});

t.test('a file that passed when it ran again is named as flaky and no failure', (t) => {
  const processes = [said(failing, { end: 1 })];
  const again = reportOf(processes, { isFinal: false, passedAgain: ['test/a.test.ts'] });
  t.match(again.lines.join('\n'), '|     not ok 2 - should match', 'what it said first is still shown');
  t.ok(again.passed);
  t.strictSame(again.lines.slice(-3), [
    'flaky: test/a.test.ts failed once, and passed alone',
    'skipped 1: no database',
    '1 passed, 0 failed, 1 skipped',
  ]);
  t.notOk(reportOf(processes, { passedAgain: ['test/another.test.ts'] }).passed);
  t.end();
});
