import t from 'tap';
import { growingCache } from '../../../common/core/growing-cache.ts';

t.test('holds as many as it may, and forgets what was used longest ago', (t) => {
  const cache = growingCache<string, number>(3);
  for (const [at, key] of ['a', 'b', 'c'].entries()) cache.set(key, at);
  t.equal(cache.get('a'), 0);
  cache.set('d', 3);
  t.strictSame([...cache.keys()], ['d', 'a', 'c']);
  cache.set('c', 4);
  t.equal(cache.size, 3, 'what is there already needs no more room');
  for (let at = 0; at < 1000; at++) cache.set(`more ${at}`, at);
  t.equal(cache.size, 3);
  t.end();
});
