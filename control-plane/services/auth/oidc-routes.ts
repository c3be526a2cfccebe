import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import { DevicePolls } from './core/device-polls.ts';
import { deviceGrant } from './oidc/clients.ts';
import { prefilled } from './oidc/configuration.ts';
import { asProviderSees, passHeaders, type Oidc } from './oidc/provider.ts';
import { fieldsOf } from './forms.ts';
import { sendPage } from './page-reply.ts';
import { failurePage } from './pages/device.ts';

const open = { credential: ['none'] } as const;
// RFC 8628 §5.1: 20^8 codes that live ten minutes, against ten tries a minute.
const codeRate = { max: 10, timeWindow: 60_000 };
const hour = 3600;

/** Routes of OAuth 2.1 and OpenID Connect: what the provider answers. */
export function oidcRoutes(app: App, { oidc, clock }: { oidc: Oidc; clock: Clock }): void {
  const answer = (request: FastifyRequest, reply: FastifyReply) => oidc.answer(request, reply);
  for (const url of [
    '/.well-known/openid-configuration',
    '/.well-known/oauth-authorization-server',
    '/oauth/jwks',
  ])
    app.get(url, { config: open }, async (request, reply) => {
      void reply.header('cache-control', `public, max-age=${String(hour)}`);
      return answer(request, reply);
    });
  app.get('/oauth/authorize', { config: open }, answer);
  app.get('/oauth/authorize/:uid', { config: open }, answer);
  app.post('/oauth/revoke', { config: open }, answer);
  app.post('/oauth/sign-out/confirm', { config: open }, answer);
  app.post('/oauth/device/code', { config: { ...open, rateLimit: codeRate } }, answer);
  app.post('/oauth/device', { config: { ...open, rateLimit: codeRate } }, async (request, reply) => {
    // Of a browser that it does not know the provider would fail where it is to refuse.
    if (await oidc.hasSession(request, reply)) return answer(request, reply);
    const what = 'This form has expired, or was begun in another browser.';
    return sendPage(reply.code(400), failurePage({ base: oidc.base() }, what));
  });
  app.get('/oauth/device/:uid', { config: open }, answer);
  app.get('/oauth/device', { config: open }, (request, reply) => codePage(oidc, request, reply));
  tokenRoute(app, { oidc, clock });
}

function tokenRoute(app: App, { oidc, clock }: { oidc: Oidc; clock: Clock }): void {
  const polls = new DevicePolls();
  app.post('/oauth/token', { config: open }, async (request, reply) => {
    const { grant_type: grant, device_code: code } = fieldsOf(request.body);
    if (
      grant === deviceGrant &&
      code !== undefined &&
      polls.take(code, clock.monotonicMs()) === 'slow down'
    ) {
      const body = {
        error: 'slow_down',
        error_description: 'wait five seconds longer between two questions',
      };
      return reply.code(400).send(body);
    }
    return oidc.answer(request, reply);
  });
}

/** The page for the code; one that stands in the address is filled in, for the person to look at and to send. */
async function codePage(oidc: Oidc, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const { user_code: code } = request.query as { user_code?: unknown };
  const seen = asProviderSees(request, oidc.issuer());
  seen.url = '/oauth/device';
  if (typeof code === 'string') prefilled.set(seen, code.slice(0, 20));
  const answer = (await oidc.provider()).callback();
  passHeaders(reply);
  reply.hijack();
  await answer(seen, reply.raw);
}
