import type { AccessTokenRequest } from '../../../common/contract/credentials.ts';
import { coversScope, parseScopes } from '../../../common/core/scopes.ts';
import type { AccessGrant } from '../../../common/runtime/access-tokens.ts';
import { assert, coded } from '../../../common/runtime/errors.ts';
import { internalScope } from '../../apart/interface.ts';
import type { Caller } from '../../../common/runtime/http-credential.ts';

/**
 * What a token may say that a caller asks for: never more than the caller may do, and where the caller has a session it ends with
 * that. FORBIDDEN for more.
 */
export function grantWithin(caller: Caller, request: AccessTokenRequest): AccessGrant {
  assert(caller.kind === 'access', 'the route takes access tokens only');
  const { role } = request;
  if (role === 'partner') throw coded('FORBIDDEN', 'a partner has an account: `nearcast account add`');
  if (role === 'admin' && caller.role !== 'admin')
    throw coded('FORBIDDEN', 'an operator makes no token of an admin');
  const wanted = request.scope === undefined ? caller.scopes : parseScopes(request.scope);
  // The core alone makes these, for its own services: it would take anybody past what roles may do.
  if (wanted?.includes(internalScope) === true)
    throw coded('FORBIDDEN', `nobody is given the scope ${internalScope}`);
  const above = wanted?.find((scope) => caller.scopes !== undefined && !coversScope(caller.scopes, scope));
  if (above !== undefined) throw coded('FORBIDDEN', `your own token has no scope ${above}`);
  const { sid } = caller;
  return {
    role,
    // Whoever has a session answers for it under its own name.
    sub: sid === undefined ? request.sub : caller.sub,
    ...(sid !== undefined && { sid }),
    ...(wanted !== undefined && { scope: wanted.join(' ') }),
  };
}
