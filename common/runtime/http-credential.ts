import type { AccessClaims, AccessRole } from '../contract/credentials.ts';
import type { NodeRole } from '../contract/primitives.ts';
import { isApiToken } from '../core/api-token.ts';
import { coversScope, parseScopes, scopeOfRoute } from '../core/scopes.ts';
import type { DeliveryClaims, TokenScope } from '../core/tokens/delivery-token.ts';
import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify';
import { accessTokenType, nodeProofType, readHeader } from './access-tokens.ts';
import { assert, coded } from './errors.ts';
import { isLoopback } from './listen.ts';

/**
 * Who may call a route. `node` is any enrolled node, `local` anyone when the server listens on loopback only, `none`
 * everyone. An admin may do all that an operator may. A delivery token is taken from the path's `:token`, else from the
 * authorization header.
 */
export type Credential =
  AccessRole | 'node' | `node:${NodeRole}` | `delivery:${TokenScope}` | 'local' | 'none';

/** A person or a program with an access token; what is absent does not limit it. */
export interface AccessCaller {
  kind: 'access';
  role: AccessRole;
  sub: string;
  /** The session that the token ends with. */
  sid: string | undefined;
  scopes: readonly string[] | undefined;
  /** What a partner sees. */
  sites: readonly string[] | undefined;
}

/** Who called, as the credential showed. */
export type Caller =
  | AccessCaller
  | { kind: 'node'; role: NodeRole; nodeId: string }
  | { kind: 'delivery'; claims: DeliveryClaims }
  | { kind: 'none' };

/** What verifies the credentials that a server's routes name; each throws a coded error. */
export interface CredentialVerifiers {
  access?: (token: string) => Promise<AccessClaims>;
  node?: (
    proof: string,
    call: { method: string; path: string },
  ) => Promise<{ nodeId: string; role: NodeRole }>;
  delivery?: (token: string) => DeliveryClaims | Promise<DeliveryClaims>;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may call this route; any of them suffices. Every route must say it. */
    credential?: readonly Credential[];
    /** The parameter that names a node: a node may call for itself only. */
    self?: string;
    /** Whether a token may call whatever its scopes are, and not only with the route's own (common/core/scopes.ts). */
    anyScope?: boolean;
  }
  interface FastifyRequest {
    caller: Caller;
  }
  interface FastifyInstance {
    /** Who may call the routes of this scope that do not say it themselves: for plugins that bring their own routes. */
    credentialDefault: readonly Credential[] | undefined;
  }
}

/**
 * Makes every route say who may call it, and holds callers to it before a byte of the body is read. A route without a
 * `config.credential`, or with one that nothing here can verify, is refused at registration.
 */
export function requireCredentials(app: FastifyInstance, verifiers: CredentialVerifiers): void {
  app.decorate('credentialDefault', undefined);
  app.decorateRequest('caller');
  app.addHook('onRoute', function (this: FastifyInstance, route) {
    const wanted = decideRoute(route, this.credentialDefault, verifiers);
    route.config = { ...route.config, credential: wanted };
    const hooks = route.onRequest ?? [];
    const { self, anyScope = false } = route.config;
    const scope = anyScope ? undefined : route.url;
    // After the hooks that the route has already: the rate limit holds for guesses of credentials too.
    route.onRequest = [
      ...(Array.isArray(hooks) ? hooks : [hooks]),
      async (request: FastifyRequest) => {
        // Set before it may be refused: who tried is of interest too.
        const caller = (request.caller = await identify(request, wanted, verifiers));
        if (caller.kind !== 'none' && !isWanted(caller, wanted))
          throw coded('FORBIDDEN', `it takes one of: ${wanted.join(', ')}`);
        if (scope !== undefined) checkScope(caller, scopeOfRoute(request.method, scope));
        if (self !== undefined) checkSelf(request, self);
      },
    ];
  });
}

function checkScope(caller: Caller, wanted: string): void {
  if (caller.kind !== 'access' || caller.scopes === undefined) return;
  if (coversScope(caller.scopes, wanted)) return;
  throw coded('FORBIDDEN', `it takes the scope ${wanted}; yours are: ${caller.scopes.join(' ')}`);
}

function checkSelf({ caller, params }: FastifyRequest, parameter: string): void {
  if (caller.kind !== 'node') return;
  if ((params as Record<string, string>)[parameter] === caller.nodeId) return;
  throw coded('FORBIDDEN', 'a node speaks for itself only');
}

function decideRoute(
  route: RouteOptions,
  fallback: readonly Credential[] | undefined,
  verifiers: CredentialVerifiers,
): readonly Credential[] {
  const wanted = route.config?.credential ?? fallback;
  const where = `${String(route.method)} ${route.url}`;
  assert(
    wanted !== undefined && wanted.length > 0,
    `${where} does not say who may call it (config.credential)`,
  );
  for (const credential of wanted) {
    const family = familyOf(credential);
    assert(
      family === undefined || verifiers[family] !== undefined,
      `${where}: nothing verifies ${credential}`,
    );
  }
  return wanted;
}

function familyOf(credential: Credential): keyof CredentialVerifiers | undefined {
  if (credential === 'none' || credential === 'local') return undefined;
  if (credential.startsWith('delivery:')) return 'delivery';
  return credential === 'node' || credential.startsWith('node:') ? 'node' : 'access';
}

async function identify(
  request: FastifyRequest,
  wanted: readonly Credential[],
  verifiers: CredentialVerifiers,
): Promise<Caller> {
  if (wanted.includes('none')) return { kind: 'none' };
  if (wanted.includes('local') && isLocal(request)) return { kind: 'none' };
  const fromPath = wanted.some((credential) => familyOf(credential) === 'delivery')
    ? pathToken(request)
    : undefined;
  const credential = fromPath ?? bearer(request);
  if (credential === undefined) {
    throw coded('CREDENTIAL_MISSING', `send "authorization: Bearer …" of one of: ${wanted.join(', ')}`);
  }
  return verify(credential, request, { wanted, verifiers });
}

function isLocal({ socket, headers }: FastifyRequest): boolean {
  // A proxy on this machine calls from loopback for anyone, and so does a browser for any page: it says which (RFC 6454 §7), or that it is one, also
  // to a page whose name was made to lead here.
  const onBehalf =
    headers.forwarded ?? headers['x-forwarded-for'] ?? headers.origin ?? headers['sec-fetch-site'];
  return onBehalf === undefined && isLoopback(socket.localAddress);
}

function pathToken(request: FastifyRequest): string | undefined {
  const { token } = request.params as { token?: string };
  return token;
}

function bearer(request: FastifyRequest): string | undefined {
  // RFC 6750 §2.1; RFC 9110 §11.1: the scheme's name has no case.
  return /^Bearer +([\w.~+/-]+=*) *$/i.exec(request.headers.authorization ?? '')?.[1];
}

async function verify(
  token: string,
  request: FastifyRequest,
  { wanted, verifiers }: { wanted: readonly Credential[]; verifiers: CredentialVerifiers },
): Promise<Caller> {
  if (isApiToken(token) && verifiers.access !== undefined) return callerOf(await verifiers.access(token));
  // Delivery tokens are one base64url text, JWTs have three parts.
  if (!token.includes('.')) {
    if (verifiers.delivery === undefined)
      throw coded('CREDENTIAL_INVALID', 'no delivery token is taken here');
    try {
      return { kind: 'delivery', claims: await verifiers.delivery(token) };
    } catch (cause) {
      // Where none is taken, whoever sent this meant another credential.
      if (wanted.some((credential) => familyOf(credential) === 'delivery')) throw cause;
      throw coded('CREDENTIAL_INVALID', { detail: 'it is no access token and no proof of a node', cause });
    }
  }
  const { typ } = readHeader(token);
  if (typ === accessTokenType && verifiers.access !== undefined)
    return callerOf(await verifiers.access(token));
  if (typ === nodeProofType && verifiers.node !== undefined) {
    const path = request.raw.url?.split('?', 1)[0] ?? '';
    return { kind: 'node', ...(await verifiers.node(token, { method: request.method, path })) };
  }
  throw coded('CREDENTIAL_INVALID', 'this kind of credential is not taken here');
}

function callerOf({ role, sub, sid, scope, sites }: AccessClaims): AccessCaller {
  const scopes = scope === undefined ? undefined : parseScopes(scope);
  return { kind: 'access', role, sub, sid, scopes, sites };
}

function isWanted(caller: Caller, wanted: readonly Credential[]): boolean {
  switch (caller.kind) {
    case 'access':
      return wanted.includes(caller.role) || (caller.role === 'admin' && wanted.includes('operator'));
    case 'node':
      return wanted.includes('node') || wanted.includes(`node:${caller.role}`);
    case 'delivery':
      return wanted.includes(`delivery:${caller.claims.scope}`);
    case 'none':
      return false;
  }
}
