import t from 'tap';

import { csvOf } from '../../../cli/output/csv.ts';

t.test('fields with commas, quotes and lines are quoted, and what is not there is empty', (t) => {
  t.equal(csvOf({ head: ['a', 'b'], rows: [['x,y', '–'], ['"q"', '2']] }), 'a,b\r\n"x,y",\r\n"""q""",2\r\n'); // prettier-ignore
  t.end();
});

t.test('what a spreadsheet would compute is shown to it as text, numbers stay numbers', (t) => {
  const rows = [
    ['=HYPERLINK("http://evil.test")', `"'=HYPERLINK(""http://evil.test"")"`],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['+1+cmd', "'+1+cmd"],
    ['-2-3', "'-2-3"],
    ['-12.34', '-12.34'],
    ['+3', '+3'],
    ['-12.34 EUR', '-12.34 EUR'],
    ['-1 cmd|x', "'-1 cmd|x"],
    ['a=b', 'a=b'],
  ];
  for (const [text = '', shown] of rows) t.equal(csvOf({ head: ['h'], rows: [[text]] }), `h\r\n${shown}\r\n`);
  t.end();
});
