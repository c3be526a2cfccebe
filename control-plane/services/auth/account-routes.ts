import type { FastifyReply, FastifyRequest } from 'fastify';
import { Line } from '../../../common/contract/primitives.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { ProblemCode } from '../../../common/contract/problem.ts';
import { coded, isCoded } from '../../../common/runtime/errors.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import { hashSecret } from '../../../common/runtime/keys.ts';
import { matches } from '../../../common/runtime/parse.ts';
import type { Accounts } from './accounts.ts';
import { auditedRun } from './audited.ts';
import { fieldsOf } from './forms.ts';
import { pagesClientId } from './oidc/clients.ts';
import { isOfPresentPassword } from './oidc/password-epoch.ts';
import { asProviderSees, type Oidc } from './oidc/provider.ts';
import { faultOf, sendPage } from './page-reply.ts';
import { accountPage, type AccountNews } from './pages/account.ts';
import { failurePage } from './pages/device.ts';
import type { Html } from './pages/html.ts';
import type { Passkeys } from './passkeys.ts';
import type { AuthAudit } from './ports.ts';
import type { AccountRecord } from './records.ts';
import type { Recovery } from './recovery.ts';
import type { SecondFactor } from './second-factor.ts';
import type { Seals } from '../seals.ts';
import type { Sessions } from './sessions.ts';
import type { SignIn } from './sign-in.ts';

const open = { credential: ['none'] } as const;
const changeRate = { max: 30, timeWindow: 60_000 };

export interface AccountRoutesOptions {
  oidc: Oidc;
  accounts: Accounts;
  sessions: Sessions;
  signIn: SignIn;
  secondFactor: SecondFactor;
  passkeys: Passkeys;
  recovery: Recovery;
  seals: Seals;
  audit: AuthAudit;
  chance: Chance;
}

/** Who asks, by the browser's session. */
interface Visitor {
  account: AccountRecord;
  /** The browser's session, as lists name it. */
  sessionId: string;
  csrf: string;
}

interface Said {
  text: string;
  recoveryCodes?: readonly string[];
}

/** A person's own page, in a browser that is signed in. */
export function accountRoutes(app: App, options: AccountRoutesOptions): void {
  const { oidc, sessions, recovery } = options;
  app.get('/account', { config: open }, async (request, reply) => {
    const visitor = await visitorOf(options, request, reply);
    const isBack = 'code' in (request.query as object) || 'error' in (request.query as object);
    if (visitor === undefined && isBack)
      return sendPage(
        reply,
        failurePage({ base: oidc.base() }, 'You are not signed in: this page needs cookies.'),
      );
    if (visitor === undefined) return reply.redirect(`${oidc.base()}/account/sign-in`, 303);
    // What was issued for the page is of no use to anybody; it need not stay in the address.
    if (isBack) return reply.redirect(`${oidc.base()}/account`, 303);
    return showAccount(options, { visitor, reply });
  });
  app.get('/account/sign-in', { config: open }, async (_request, reply) =>
    reply.redirect(signInUrl(options), 303),
  );
  change(app, options, {
    url: '/account/sign-out',
    fromScripts: true,
    act: async ({ account, sessionId }) => {
      await sessions.end(sessionId, account.id);
      return undefined;
    },
  });
  change(app, options, {
    url: '/account/sessions/:id/end',
    act: async ({ account }, _fields, request) => {
      const { id } = request.params as { id: string };
      await sessions.end(id, account.id);
      return undefined;
    },
  });
  change(app, options, {
    url: '/account/password',
    fields: { SIGN_IN_FAILED: 'current', PASSWORD_WEAK: 'password' },
    act: (visitor, fields, { ip }) => changePassword(options, { visitor, fields, address: ip }),
  });
  change(app, options, {
    url: '/account/confirm-letter',
    act: async ({ account }, _fields, { ip }) => {
      recovery.askConfirmation(account.id, ip);
      return { text: 'A letter is on its way to your address. At most three are sent in an hour.' };
    },
  });
  codeChanges(app, options);
  passkeyChanges(app, options);
}

/** Changes of a person's passkeys. */
function passkeyChanges(app: App, options: AccountRoutesOptions): void {
  const { signIn, passkeys } = options;
  change(app, options, {
    url: '/account/passkeys',
    fields: { SIGN_IN_FAILED: 'passkey-password', INVALID: 'passkey-name' },
    act: async ({ account, sessionId }, { current = '', name = '', credential = '' }, { ip }) => {
      await signIn.attempt({ email: account.email, password: current, address: ip, mark: undefined });
      if (!matches(Line, name)) throw coded('INVALID', 'the name is one line of up to 200 characters');
      await passkeys.add(account, { sessionId, name, credential });
      return { text: `You can sign in with the passkey of ${name}.` };
    },
  });
  change(app, options, {
    url: '/account/passkeys/:id/remove',
    act: async ({ account }, _fields, request) => {
      const { id } = request.params as { id: string };
      await passkeys.remove(account.id, id);
      return undefined;
    },
  });
}

/** Changes of the codes that are asked for at sign-in. */
function codeChanges(app: App, options: AccountRoutesOptions): void {
  const { signIn, secondFactor } = options;
  change(app, options, {
    url: '/account/totp',
    fields: { SIGN_IN_FAILED: 'totp-password' },
    act: async ({ account }, { current = '' }, { ip }) => {
      await signIn.attempt({ email: account.email, password: current, address: ip, mark: undefined });
      await secondFactor.begin(account);
      return { text: 'Your authenticator needs the key below.' };
    },
  });
  change(app, options, {
    url: '/account/totp/confirm',
    fields: { SECOND_FACTOR_FAILED: 'totp-code' },
    act: async ({ account }, { code = '' }, { ip }) => {
      const recoveryCodes = await secondFactor.confirm({ account, code, address: ip, mark: undefined });
      return { text: 'From now on a code is asked for when you sign in.', recoveryCodes };
    },
  });
  change(app, options, {
    url: '/account/totp/remove',
    fields: { SECOND_FACTOR_FAILED: 'totp-code' },
    act: async ({ account }, { code = '' }, { ip }) => {
      await secondFactor.check({ account, code, address: ip, mark: undefined });
      await secondFactor.remove(account.id);
      return { text: 'No code is asked for any more.' };
    },
  });
}

interface Change {
  url: string;
  act: Act;
  /** The id of the page's field that a failure is about, by its code. */
  fields?: Readonly<Partial<Record<ProblemCode, string>>>;
  /** A script of our own pages may ask for it too: browsers say where it is from, and no page of others can. */
  fromScripts?: true;
}

/** @returns what the page says then; without it the visitor is led back to the page. */
type Act = (
  visitor: Visitor,
  fields: Readonly<Record<string, string | undefined>>,
  request: FastifyRequest,
) => Promise<Said | undefined>;

/** What a person can do wrong on the page. */
const sayable = [
  'SIGN_IN_FAILED',
  'SECOND_FACTOR_FAILED',
  'PASSKEY_FAILED',
  'PASSWORD_WEAK',
  'INVALID',
  'CONFLICT',
  'RATE_LIMITED',
  'OVERLOADED',
] as const;

/** A route that changes something: for a visitor whose form came from us. What the visitor did wrong is said on the page. */
function change(
  app: App,
  options: AccountRoutesOptions,
  { url, act, fields: ids = {}, fromScripts }: Change,
): void {
  app.post(url, { config: { ...open, rateLimit: changeRate } }, async (request, reply) => {
    const { oidc, seals, audit } = options;
    const fields = fieldsOf(request.body);
    const visitor = await visitorOf(options, request, reply);
    const isOurScript = fromScripts === true && request.headers.origin === new URL(oidc.issuer()).origin;
    const isOurs =
      visitor !== undefined && (isOurScript || seals.isSeal('csrf', visitor.sessionId, fields['csrf'] ?? ''));
    if (!isOurs)
      return sendPage(
        reply.code(403),
        failurePage({ base: oidc.base() }, 'This form was not sent from your page.'),
      );
    const object = Object.values(request.params as Record<string, string>)
      .join('/')
      .slice(0, 200);
    const person = { account: visitor.account, address: request.ip };
    try {
      const said = await auditedRun(audit, person, {
        act: { action: `POST ${url}`, ...(object !== '' && { object }) },
        work: () => act(visitor, fields, request),
      });
      if (said === undefined) return await reply.redirect(`${oidc.base()}/account`, 303);
      return await showAccount(options, { visitor, reply, said: { good: true, ...said } });
    } catch (error) {
      const said = faultOf(error, reply, sayable);
      // Whose address it is was settled before.
      const text = isCoded(error, 'SIGN_IN_FAILED') ? 'The password is not right' : said;
      const field = isCoded(error) ? ids[error.code] : undefined;
      return showAccount(options, { visitor, reply, said: { good: false, text, field } });
    }
  });
}

async function visitorOf(
  { oidc, seals, accounts }: AccountRoutesOptions,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Visitor | undefined> {
  const provider = await oidc.provider();
  const context = provider.createContext(asProviderSees(request, oidc.issuer()), reply.raw);
  const { accountId, jti } = await provider.Session.get(context);
  const account = accountId === undefined ? undefined : await accounts.find(accountId);
  if (account === undefined || account.disabled) return undefined;
  const sessionId = `ses_${hashSecret(jti)}`;
  return { account, sessionId, csrf: seals.seal('csrf', sessionId) };
}

async function showAccount(
  { oidc, accounts, sessions, secondFactor, passkeys }: AccountRoutesOptions,
  { visitor, reply, said }: { visitor: Visitor; reply: FastifyReply; said?: AccountNews },
): Promise<FastifyReply> {
  const account = await accounts.view(visitor.account.id);
  const record = await accounts.find(visitor.account.id);
  if (account === undefined || record === undefined)
    return reply.redirect(`${oidc.base()}/account/sign-in`, 303);
  const hasScript = passkeys.arePossible();
  const pending = secondFactor.pending(record);
  const what = {
    account,
    sessions: await sessions.list(account.id),
    own: visitor.sessionId,
    csrf: visitor.csrf,
    secondFactor: {
      isAsked: secondFactor.isAsked(record),
      isMissing: secondFactor.isMissing(record),
      recoveryLeft: record.totp?.recovery.length ?? 0,
      pending: pending && { ...pending, picture: await pictureOf(pending) },
    },
    passkeys: hasScript
      ? {
          passkeys: await passkeys.list(account.id),
          offer: await passkeys.offer(record, visitor.sessionId),
        }
      : undefined,
    said,
  };
  return sendPage(reply, accountPage({ base: oidc.base(), hasScript }, what), { hasScript });
}

/** What an authenticator's camera is shown. */
async function pictureOf({ uri }: { uri: string }): Promise<Html> {
  // Asked for once in an account's life.
  const { qrCode } = await import('./pages/qr-code.ts');
  return qrCode(uri, 'The key as a picture, for the camera of your authenticator');
}

/** The page signs in as any program does; the code that comes back is never redeemed. */
function signInUrl({ oidc, chance }: AccountRoutesOptions): string {
  const query = new URLSearchParams({
    ...{
      client_id: pagesClientId,
      response_type: 'code',
      scope: 'openid',
      redirect_uri: `${oidc.issuer()}/account`,
    },
    ...{ code_challenge: hashSecret(chance.bytes(32).toString('base64url')), code_challenge_method: 'S256' },
  });
  return `${oidc.base()}/oauth/authorize?${query.toString()}`;
}

async function changePassword(
  { accounts, sessions, signIn }: AccountRoutesOptions,
  what: { visitor: Visitor; fields: Readonly<Record<string, string | undefined>>; address: string },
): Promise<Said> {
  const { visitor, fields, address } = what;
  const { id, email } = visitor.account;
  const { current = '', password = '' } = fields;
  const typed = await signIn.attempt({ email, password: current, address, mark: undefined });
  await accounts.change(id, { password }, (held) => {
    if (!isOfPresentPassword(typed, held)) throw coded('CONFLICT', 'the password was changed meanwhile');
  });
  await sessions.endOthers(visitor.sessionId, id);
  return { text: 'Your password is changed, and you are signed out everywhere else.' };
}
