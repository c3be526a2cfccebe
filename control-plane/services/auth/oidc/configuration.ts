import type { Configuration, KoaContextWithOIDC } from 'oidc-provider';
import { consoleClientId } from '../../../../common/contract/oauth-clients.ts';
import type { AccessRole } from '../../../../common/contract/credentials.ts';
import { allScopes } from '../../../../common/core/scopes.ts';
import { sign, createPublicKey } from 'node:crypto';
import type { SigningKey } from '../../../../common/runtime/keys.ts';
import type { Accounts } from '../accounts.ts';
import {
  deviceCodePage,
  deviceConfirmPage,
  deviceDonePage,
  failurePage,
  type DeviceForm,
} from '../pages/device.ts';
import { policyOf, type Site } from '../pages/layout.ts';
import type { AccountRecord } from '../records.ts';
import type { Seals } from '../../seals.ts';
import { sessionOfGrant } from '../sessions.ts';
import type { OidcStore } from './adapter.ts';
import { pagesClientId } from './clients.ts';
import { isOfPresentPassword, newGrant, type WithEpoch } from './password-epoch.ts';

/** What access tokens are for: our own API (RFC 8707). */
export const apiResource = 'urn:nearcast:api';

/** How long what is given out lasts, in seconds. */
const lifeS = {
  accessToken: 600,
  authorizationCode: 60,
  deviceCode: 600,
  idToken: 3600,
  interaction: 600,
  session: 14 * 86_400,
  refreshToken: 30 * 86_400,
  grant: 180 * 86_400,
};

export interface OidcConfigurationOptions {
  store: OidcStore;
  accounts: Accounts;
  seals: Seals;
  /** The keys of access tokens, the one that signs first. */
  keys: readonly SigningKey[];
  site: Site;
  isHttps: boolean;
  /** The library's own; handed in, so that it is loaded only where it is asked. */
  library: Pick<typeof import('oidc-provider'), 'errors' | 'ExternalSigningKey'>;
}

/** The provider's configuration: code with PKCE and codes for devices, refresh tokens that rotate, and nothing else. */
export function oidcConfiguration(options: OidcConfigurationOptions): Configuration {
  const { store, accounts, keys, site } = options;
  return {
    adapter: (model: string) => store.adapter(model),
    clientDefaults: { id_token_signed_response_alg: 'ES256', token_endpoint_auth_method: 'none' },
    clientAuthMethods: ['none'],
    cookies: cookies(options),
    claims: { openid: ['sub'], profile: ['name'], email: ['email'] },
    clientBasedCORS: () => true,
    conformIdTokenClaims: false,
    enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
    expiresWithSession: (_ctx, code) => !code.scopes.has('offline_access'),
    findAccount: (ctx, sub) => findAccount(options, ctx, sub),
    formats: { customizers: { jwt: (_ctx, token, parts) => ourClaims(accounts, token, parts) } },
    interactions: { url: (_ctx, interaction) => `${site.base}/oauth/sign-in/${interaction.uid}` },
    issueRefreshToken: (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    jwks: { keys: keys.map((key) => signsHere(options, key)) },
    // Each sign-in is a session of its own: what another device was granted is not shared with it.
    loadExistingGrant: async (ctx) => {
      if (ctx.oidc.client?.clientId === consoleClientId) return consoleGrant(ctx);
      const grantId = ctx.oidc.result?.consent?.grantId;
      return grantId === undefined ? undefined : ctx.oidc.provider.Grant.find(grantId);
    },
    pkce: { required: () => true },
    renderError: (ctx, out) => {
      show(ctx, failurePage(site, out.error_description ?? out.error));
    },
    responseTypes: ['code'],
    rotateRefreshToken: true,
    routes,
    scopes: ['openid', 'offline_access', 'profile', 'email'],
    ttl: {
      AccessToken: lifeS.accessToken,
      AuthorizationCode: lifeS.authorizationCode,
      DeviceCode: lifeS.deviceCode,
      Grant: (_ctx, { clientId }) => grantLifeS(clientId),
      IdToken: lifeS.idToken,
      Interaction: lifeS.interaction,
      RefreshToken: lifeS.refreshToken,
      Session: lifeS.session,
    },
    features: features(options),
  };
}

/**
 * A key that signs in this thread: 60 µs. The library's own way by WebCrypto takes 0.1 ms, and ten where the machine is busy: it waits for a thread of the pool, in which passwords
 * are hashed too.
 */
function signsHere(
  { library: { ExternalSigningKey } }: OidcConfigurationOptions,
  { kid, privateKey }: SigningKey,
): InstanceType<typeof ExternalSigningKey> {
  const publicKey = createPublicKey(privateKey);
  class Key extends ExternalSigningKey {
    override keyObject() {
      return publicKey;
    }
    override async sign(data: Uint8Array): Promise<Uint8Array> {
      return sign('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' });
    }
  }
  return Object.assign(new Key(), { kid, alg: 'ES256' });
}

/** Whom the provider lets in, unless the password was changed since it was typed. */
async function findAccount(
  { accounts, library: { errors } }: OidcConfigurationOptions,
  ctx: KoaContextWithOIDC,
  sub: string,
) {
  const account = await accounts.find(sub);
  const { login } = ctx.oidc.result ?? {};
  const letIn: WithEpoch | undefined = login && { passwordEpoch: login['passwordEpoch'] };
  // Also where it is refused: the provider keeps the session all the same.
  if (letIn !== undefined) Object.assign(ctx.oidc.session ?? {}, letIn, { browser: login?.['browser'] });
  if (account === undefined || account.disabled) return undefined;
  if (letIn !== undefined && !isOfPresentPassword(letIn, account))
    throw new errors.AccessDenied('the password was changed meanwhile');
  const { id, name, email } = account;
  return { accountId: id, claims: () => ({ sub: id, name, email }) };
}

function grantLifeS(clientId: string | undefined): number {
  if (clientId === pagesClientId) return lifeS.interaction;
  return clientId === consoleClientId ? lifeS.session : lifeS.grant;
}

/** What the console may do in a browser that is signed in: it is ours, so nobody is asked. One for all of its tabs and renewals. */
async function consoleGrant({ oidc }: KoaContextWithOIDC) {
  const { provider, session, account } = oidc;
  const accountId = account?.accountId ?? '';
  const known = session?.grantIdFor(consoleClientId);
  const held = known === undefined ? undefined : await provider.Grant.find(known);
  if (held?.accountId === accountId) return held;
  const grant = newGrant(provider, { session: session ?? {}, clientId: consoleClientId });
  grant.addOIDCScope('openid');
  grant.addResourceScope(apiResource, 'read');
  await grant.save();
  return grant;
}

const routes = {
  authorization: '/oauth/authorize',
  code_verification: '/oauth/device',
  device_authorization: '/oauth/device/code',
  end_session: '/oauth/sign-out',
  jwks: '/oauth/jwks',
  revocation: '/oauth/revoke',
  token: '/oauth/token',
};

function features({ site, library: { errors } }: OidcConfigurationOptions): Configuration['features'] {
  return {
    devInteractions: { enabled: false },
    externalSigningSupport: { enabled: true, ack: 'experimental-01' },
    userinfo: { enabled: false },
    rpInitiatedLogout: { enabled: false },
    revocation: { enabled: true, allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => apiResource,
      useGrantedResource: () => true,
      getResourceServerInfo: (_ctx, resource) => {
        if (resource !== apiResource) throw new errors.InvalidTarget();
        return {
          scope: allScopes.join(' '),
          audience: 'nearcast',
          accessTokenFormat: 'jwt' as const,
          accessTokenTTL: lifeS.accessToken,
          jwt: { sign: { alg: 'ES256' as const } },
        };
      },
    },
    deviceFlow: {
      enabled: true,
      charset: 'base-20',
      mask: '****-****',
      userCodeInputSource: (ctx, _form, ...[out, err]) => {
        const code = prefilled.get(ctx.req) ?? (err as { userCode?: string } | undefined)?.userCode;
        const fault = out === undefined ? undefined : (err?.message ?? out.error);
        show(ctx, deviceCodePage(site, { ...formOf(ctx), code, fault }));
      },
      userCodeConfirmSource: (ctx, _form, ...[client, , userCode]) => {
        show(
          ctx,
          deviceConfirmPage(site, { ...formOf(ctx), code: userCode, client: client.clientName ?? '' }),
        );
      },
      successSource: (ctx) => {
        show(ctx, deviceDonePage(site));
      },
    },
  };
}

/** The code in a device's link, which the form is filled with: by request, since the provider would post it by a script. */
export const prefilled = new WeakMap<object, string>();

function formOf(ctx: KoaContextWithOIDC): Pick<DeviceForm, 'action' | 'secret'> {
  const { secret = '' } = (ctx.oidc.session as unknown as { state?: { secret?: string } }).state ?? {};
  return { action: new URL(ctx.oidc.urlFor('code_verification')).pathname, secret };
}

function show(ctx: KoaContextWithOIDC, body: string): void {
  ctx.set('content-security-policy', policyOf());
  ctx.type = 'html';
  ctx.body = body;
}

function cookies({ isHttps, seals, site }: OidcConfigurationOptions): Configuration['cookies'] {
  const options = {
    httpOnly: true,
    sameSite: 'lax',
    secure: isHttps,
    overwrite: true,
    signed: true,
  } as const;
  // RFC 6265bis §4.1.3: a prefix that browsers give to nobody but this host over TLS.
  const prefix = isHttps ? (site.base === '' ? '__Host-' : '__Secure-') : '';
  const short = isHttps ? '__Secure-' : '';
  return {
    keys: [seals.seal('cookies', '')],
    names: {
      session: `${prefix}nearcast-session`,
      interaction: `${short}nearcast-interaction`,
      resume: `${short}nearcast-resume`,
    },
    long: { ...options, path: '/' },
    short: options,
  };
}

type TokenLike = { accountId?: string; grantId?: string };

/** Makes the provider's claims ours: whose role, which session. */
async function ourClaims(
  accounts: Accounts,
  token: object,
  parts: { payload: Record<string, unknown> },
): Promise<void> {
  const { accountId = '', grantId = '' } = token as TokenLike;
  const account: AccountRecord | undefined = await accounts.find(accountId);
  const role: AccessRole = account?.role ?? 'viewer';
  Object.assign(parts.payload, { iss: 'nearcast', role, sid: sessionOfGrant(grantId) });
  // A token without a scope would have all: what was granted is nothing then.
  parts.payload['scope'] ??= '';
}
