import t from 'tap';

import { Type } from '../../../common/contract/type.ts';
import { parseKindAs } from '../../../common/runtime/parse.ts';

const Message = Type.Union([
  Type.Object({ kind: Type.Literal('count'), count: Type.Integer({ minimum: 0 }) }),
  Type.Object({ kind: Type.Literal('name'), name: Type.String({ pattern: '^[a-z]+$' }) }),
]);
const parse = (value: unknown) => parseKindAs(Message, value, { what: 'a message' });

void t.test('a value is checked by the member of its kind, and refused by that one', async (test) => {
  test.same(parse({ kind: 'count', count: 3 }), { kind: 'count', count: 3 });
  test.same(parse({ kind: 'name', name: 'box' }), { kind: 'name', name: 'box' });
  const wrong = { code: 'INVALID', fields: [{ path: 'count', message: 'must be >= 0' }] };
  test.throws(() => parse({ kind: 'count', count: -1 }), wrong);
});

void t.test('what is of no kind there is refused', async (test) => {
  for (const value of [undefined, null, 7, 'count', {}, { kind: 'other' }, { count: 3 }, [{ kind: 'count' }]])
    test.throws(() => parse(value), { code: 'INVALID' });
});
