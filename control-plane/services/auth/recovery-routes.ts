import type { FastifyReply, FastifyRequest } from 'fastify';
import { isCoded } from '../../../common/runtime/errors.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import { fieldsOf } from './forms.ts';
import type { LinkPurpose } from './letter-links.ts';
import type { Oidc } from './oidc/provider.ts';
import { faultOf, sendPage } from './page-reply.ts';
import type { Site } from './pages/layout.ts';
import {
  confirmedPage,
  confirmPage,
  forgottenPage,
  letterSentPage,
  linkOverPage,
  resetDonePage,
  resetPage,
} from './pages/recovery.ts';
import type { Recovery } from './recovery.ts';

const open = { credential: ['none'] } as const;
// Guessing a link is hopeless; each try costs a look, and a weak password more.
const followRate = { max: 30, timeWindow: 60_000 };

export interface RecoveryRoutesOptions {
  oidc: Pick<Oidc, 'base'>;
  recovery: Recovery;
}

/** Pages on which who has forgotten a password asks for a letter, and those to which links in letters lead. */
export function recoveryRoutes(app: App, options: RecoveryRoutesOptions): void {
  const { oidc, recovery } = options;
  const site = (): Site => ({ base: oidc.base() });
  app.get('/account/forgotten', { config: open }, (_request, reply) =>
    sendPage(reply, forgottenPage(site())),
  );
  app.post('/account/forgotten', { config: open }, async (request, reply) => {
    const { email = '' } = fieldsOf(request.body);
    try {
      recovery.askReset(email, request.ip);
    } catch (error) {
      return sendPage(reply, forgottenPage(site(), faultOf(error, reply, ['RATE_LIMITED'])));
    }
    return sendPage(reply, letterSentPage(site()));
  });
  followed(app, options, {
    purpose: 'reset',
    asks: (secret) => resetPage(site(), { secret }),
    act: async ({ secret, password, address }, reply) => {
      try {
        return resetDonePage(site(), await recovery.reset({ secret, password, address }));
      } catch (error) {
        return resetPage(site(), { secret, fault: faultOf(error, reply, ['PASSWORD_WEAK', 'OVERLOADED']) });
      }
    },
  });
  followed(app, options, {
    purpose: 'confirm',
    asks: (secret) => confirmPage(site(), { secret }),
    act: async ({ secret, address }) => {
      await recovery.confirm({ secret, address });
      return confirmedPage(site());
    },
  });
}

interface Given {
  readonly secret: string;
  readonly password: string;
  readonly address: string;
}

/** The two steps of a link: a page that asks, since mail servers and previews follow links too, and what its button does. */
function followed(
  app: App,
  { oidc, recovery }: RecoveryRoutesOptions,
  link: {
    readonly purpose: LinkPurpose;
    readonly asks: (secret: string) => string;
    readonly act: (given: Given, reply: FastifyReply) => Promise<string>;
  },
): void {
  const url = `/account/${link.purpose}`;
  const over = (reply: FastifyReply): FastifyReply =>
    sendPage(reply.code(410), linkOverPage({ base: oidc.base() }));
  app.get(url, { config: open }, async (request, reply) => {
    const secret = secretOf(request);
    if (await recovery.isGood(link.purpose, secret)) return sendPage(reply, link.asks(secret));
    return over(reply);
  });
  app.post(url, { config: { ...open, rateLimit: followRate } }, async (request, reply) => {
    const { token: secret = '', password = '' } = fieldsOf(request.body);
    try {
      return await sendPage(reply, await link.act({ secret, password, address: request.ip }, reply));
    } catch (error) {
      if (isCoded(error, 'LINK_INVALID')) return over(reply);
      throw error;
    }
  });
}

function secretOf({ query }: FastifyRequest): string {
  const { token } = query as { token?: unknown };
  return typeof token === 'string' ? token : '';
}
