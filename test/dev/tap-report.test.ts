import t from 'tap';
import { TapReport } from '../support/tap-report.ts';

function reportOf(tap: string): { lines: string[]; passed: boolean } {
  const lines: string[] = [];
  const report = new TapReport((line) => lines.push(line));
  for (const line of tap.split('\n')) report.add(line);
  return { passed: report.end(), lines };
}

const failing = `TAP version 14
# Subtest: test/a.test.ts
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
    # time=14.1ms
not ok 1 - test/a.test.ts # time=14.1ms

1..1
# { total: 3, pass: 1, fail: 1, skip: 1 }
# time=240ms`;

t.test('prints what failed, the file, the skips with their reason and the counts last', (t) => {
  const { lines, passed } = reportOf(failing);
  const text = lines.join('\n');
  t.notOk(passed);
  t.match(text, 'not ok 2 - should match\n          ---\n          at: a.test.ts:4');
  t.notMatch(text, 'should be equal');
  t.notMatch(text, 'passes');
  t.match(text, /^FAILED +0\.0 s {2}test\/a\.test\.ts {2}\(1 skipped\)$/m);
  t.match(text, /^skipped 1: no database$/m);
  t.equal(lines.at(-1), '1 passed, 1 failed, 1 skipped');
  t.end();
});

t.test('a passing file takes one line', (t) => {
  const { lines } = reportOf(
    '# Subtest: b\n    ok 1 - x\n    1..1\nok 1 - b # time=3ms\n1..1\n# { total: 1, pass: 1 }',
  );
  t.strictSame(lines, ['ok         0.0 s  b', '1 passed, 0 failed, 0 skipped']);
  t.end();
});

t.test('a run without a result has failed', (t) => {
  const { lines, passed } = reportOf('# Subtest: c\n    ok 1 - x');
  t.notOk(passed);
  t.equal(lines.at(-1), '0 passed, 1 failed, 0 skipped');
  t.end();
});

t.test('a file that passed when it ran again is named as flaky and no failure', (t) => {
  const lines: string[] = [];
  const report = new TapReport(
    (line) => lines.push(line),
    () => false,
  );
  for (const line of failing.split('\n')) report.add(line);
  t.strictSame(report.failedFiles, ['test/a.test.ts']);
  t.match(lines.join('\n'), '|         not ok 2 - should match', 'what it said first is still shown');
  t.ok(report.end(['test/a.test.ts']));
  t.strictSame(lines.slice(-3), [
    'flaky: test/a.test.ts failed once, and passed alone',
    'skipped 1: no database',
    '1 passed, 0 failed, 1 skipped',
  ]);
  t.notOk(report.end(['test/another.test.ts']));
  t.end();
});
