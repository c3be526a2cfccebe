import t from 'tap';

import { evaluatePreconditions, rangeApplies } from '../../../common/core/conditional.ts';

const validators = {
  etag: '"abc"',
  lastModifiedMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
};
const sameDate = 'Fri, 02 Jan 2026 03:04:05 GMT';
const earlier = 'Fri, 02 Jan 2026 03:04:04 GMT';
const later = 'Fri, 02 Jan 2026 03:04:06 GMT';

t.test('preconditions in the order of RFC 9110 §13.2.2', async (t) => {
  const cases: [Parameters<typeof evaluatePreconditions>[0], string][] = [
    [{}, 'proceed'],
    [{ ifMatch: '"abc"' }, 'proceed'],
    [{ ifMatch: '*' }, 'proceed'],
    [{ ifMatch: '"x", "abc"' }, 'proceed'],
    [{ ifMatch: 'W/"abc"' }, 'precondition-failed'],
    [{ ifMatch: '"x"', ifNoneMatch: '"abc"' }, 'precondition-failed'],
    [{ ifUnmodifiedSince: earlier }, 'precondition-failed'],
    [{ ifUnmodifiedSince: sameDate }, 'proceed'],
    [{ ifMatch: '"abc"', ifUnmodifiedSince: earlier }, 'proceed'],
    [{ ifNoneMatch: '"abc"' }, 'not-modified'],
    [{ ifNoneMatch: 'W/"abc"' }, 'not-modified'],
    [{ ifNoneMatch: '*' }, 'not-modified'],
    [{ ifNoneMatch: '"x"', ifModifiedSince: later }, 'proceed'],
    [{ ifModifiedSince: sameDate }, 'not-modified'],
    [{ ifModifiedSince: earlier }, 'proceed'],
    [{ ifModifiedSince: 'yesterday' }, 'proceed'],
  ];
  for (const [headers, outcome] of cases) {
    t.equal(evaluatePreconditions(headers, validators), outcome, JSON.stringify(headers));
  }
});

t.test('If-Range takes a strong ETag or the exact date', async (t) => {
  const cases: [string | undefined, boolean][] = [
    [undefined, true],
    ['"abc"', true],
    ['"x"', false],
    ['W/"abc"', false],
    [sameDate, true],
    [later, false],
    ['garbage', false],
  ];
  for (const [header, applies] of cases) t.equal(rangeApplies(header, validators), applies, String(header));
});
