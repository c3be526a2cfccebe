import fc from 'fast-check';
import t from 'tap';
import { allScopes, coversScope, parseScopes, scopeOfRoute } from '../../../common/core/scopes.ts';

t.test('the scope of a route is its resource and what is done with it', async (t) => {
  t.equal(scopeOfRoute('GET', '/v1/titles/:id'), 'titles:read');
  t.equal(scopeOfRoute('HEAD', '/v1/titles'), 'titles:read');
  t.equal(scopeOfRoute('DELETE', '/v1/nodes/:id'), 'nodes:write');
  t.equal(scopeOfRoute('GET', '/metrics'), 'metrics:read');
});

t.test('a scope covers itself, `read` and `write` all of their kind, and nothing covers more', async (t) => {
  const scope = fc.constantFrom(...allScopes.filter((one) => one.includes(':')));
  fc.assert(
    fc.property(fc.array(scope), scope, (granted, wanted) => {
      const [, verb = ''] = wanted.split(':');
      const other = verb === 'read' ? 'write' : 'read';
      t.equal(coversScope(granted, wanted), granted.includes(wanted));
      t.ok(coversScope([...granted, verb], wanted));
      t.equal(coversScope([...granted, other], wanted), granted.includes(wanted));
    }),
    { numRuns: 50 },
  );
  t.notOk(coversScope(['titles'], 'titles:read'));
  t.notOk(coversScope([':read'], 'titles:read'));
  t.strictSame(parseScopes(' openid  titles:read '), ['openid', 'titles:read']);
  t.strictSame(parseScopes(''), []);
});
