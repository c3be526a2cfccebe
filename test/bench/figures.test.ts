import t from 'tap';

import { lessIsBetter, moreIsBetter, takenByOthers } from '../support/bench.ts';

const of = { name: 'cost', peer: 'nginx', unit: 's', goal: 1 };

t.test(
  'the ratio of rounds is the median of their ratios, which a slow half of the run does not move',
  (t) => {
    const figure = lessIsBetter({ ...of, ours: [1, 1, 2, 2, 2], theirs: [1.2, 1.2, 2.4, 2.4, 1.2] });
    t.match(figure, { ours: 2, theirs: 1.2, holds: true });
    t.equal(figure.ratio, 1.2);
    t.equal(moreIsBetter({ ...of, ours: [4, 9, 3], theirs: [2, 3, 3] }).ratio, 2);
    t.end();
  },
);

t.test('what was not measured in turns is compared by its medians', (t) => {
  t.equal(lessIsBetter({ ...of, ours: 4, theirs: 2 }).ratio, 0.5);
  t.equal(lessIsBetter({ ...of, ours: [1, 2, 3], theirs: 4 }).ratio, 2);
  t.equal(moreIsBetter({ ...of, ours: [1, 2, 9], theirs: [4, 4] }).ratio, 0.5);
  t.end();
});

t.test('a reader is told where other machines on the host took processor time', (t) => {
  const before = { busy: 1000, stolen: 50 };
  t.match(takenByOthers(before, { busy: 1300, stolen: 150 }), [/took 25 %/]);
  t.same(takenByOthers(before, { busy: 1990, stolen: 55 }), []);
  t.same(takenByOthers(before, before), []);
  t.end();
});
