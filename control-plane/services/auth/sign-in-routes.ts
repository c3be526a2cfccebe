import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Provider } from 'oidc-provider';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import type { Accounts } from './accounts.ts';
import { browserName } from './core/browser-name.ts';
import { auditedRun, countRefusal } from './audited.ts';
import { cookieOf, fieldsOf } from './forms.ts';
import { pagesClientId } from './oidc/clients.ts';
import { epochOf, isOfPresentPassword, newGrant } from './oidc/password-epoch.ts';
import { asProviderSees, passHeaders, type Oidc } from './oidc/provider.ts';
import { faultOf, sendPage } from './page-reply.ts';
import { failurePage } from './pages/device.ts';
import { formTarget, style } from './pages/layout.ts';
import { passkeyScript } from './pages/passkeys.ts';
import { codePage, consentPage, signInPage } from './pages/sign-in.ts';
import type { Passkeys } from './passkeys.ts';
import type { AuthAudit } from './ports.ts';
import type { AccountRecord } from './records.ts';
import type { SecondFactor } from './second-factor.ts';
import type { Seals } from '../seals.ts';
import type { SignIn } from './sign-in.ts';

const open = { credential: ['none'] } as const;
// Beside the throttle of each account: what one address may ask at all.
const signInRate = { max: 60, timeWindow: 60_000 };
const markLifeS = 365 * 86_400;

export interface SignInRoutesOptions {
  oidc: Oidc;
  accounts: Accounts;
  signIn: SignIn;
  secondFactor: SecondFactor;
  passkeys: Passkeys;
  seals: Seals;
  audit: AuthAudit;
  clock: Clock;
}

type Interaction = Awaited<ReturnType<Provider['interactionDetails']>>;

/** One step of a sign-in: the request as the provider sees it, and what it is about. */
interface Step {
  provider: Provider;
  seen: ReturnType<typeof asProviderSees>;
  details: Interaction;
  client: string;
}

/** Pages on which people sign in and say what a program may do. */
export function signInRoutes(app: App, options: SignInRoutesOptions): void {
  app.get('/oauth/style.css', { config: open }, async (_request, reply) =>
    reply.type('text/css').header('cache-control', 'public, max-age=3600').send(style),
  );
  app.get('/oauth/passkey.js', { config: open }, async (_request, reply) =>
    reply.type('text/javascript').header('cache-control', 'public, max-age=3600').send(passkeyScript),
  );
  const url = '/oauth/sign-in/:uid';
  app.get(url, { config: open }, (request, reply) =>
    within(options, { request, reply }, async (step) => {
      if (step.details.prompt.name === 'login') return showSignIn(options, { step, reply });
      if (step.details.params['client_id'] === pagesClientId) return allow(options, { step, request, reply });
      return showConsent(options, { step, reply });
    }),
  );
  app.post(url, { config: { ...open, rateLimit: signInRate } }, (request, reply) =>
    within(options, { request, reply }, (step) => trySignIn(options, { step, request, reply })),
  );
  app.post(`${url}/passkey`, { config: { ...open, rateLimit: signInRate } }, (request, reply) =>
    within(options, { request, reply }, (step) => tryPasskey(options, { step, request, reply })),
  );
  app.post(`${url}/code`, { config: { ...open, rateLimit: signInRate } }, (request, reply) =>
    within(options, { request, reply }, (step) => tryCode(options, { step, request, reply })),
  );
  app.post(`${url}/consent`, { config: open }, (request, reply) =>
    within(options, { request, reply }, (step) => allow(options, { step, request, reply })),
  );
  app.post(`${url}/cancel`, { config: open }, (request, reply) =>
    within(options, { request, reply }, async (step) => {
      const result = { error: 'access_denied', error_description: 'The person did not allow it' };
      await finish(step, reply, result);
    }),
  );
}

interface Exchange {
  request: FastifyRequest;
  reply: FastifyReply;
}

/** Runs a step of the sign-in that the request's cookie names; without one, says that it is over. */
async function within(
  { oidc }: SignInRoutesOptions,
  { request, reply }: Exchange,
  run: (step: Step) => Promise<unknown>,
): Promise<void> {
  const provider = await oidc.provider();
  const seen = asProviderSees(request, oidc.issuer());
  const site = { base: oidc.base() };
  const over = (): FastifyReply => {
    const what = 'This sign-in has expired, or was begun in another browser.';
    return sendPage(reply.code(400), failurePage(site, what));
  };
  let details: Interaction;
  try {
    details = await provider.interactionDetails(seen, reply.raw);
  } catch (error) {
    if ((error as { error?: unknown }).error === undefined) throw error;
    await over();
    return;
  }
  if (details.uid !== (request.params as { uid: string }).uid) {
    await over();
    return;
  }
  const client = await provider.Client.find(String(details.params['client_id']));
  await run({ provider, seen, details, client: client?.clientName ?? 'a program' });
}

async function showSignIn(
  { oidc, passkeys }: SignInRoutesOptions,
  { step, reply, email, fault }: { step: Step; reply: FastifyReply; email?: string; fault?: string },
): Promise<void> {
  const { details, client } = step;
  const hasScript = passkeys.arePossible();
  const passkey = hasScript ? await passkeys.ask(details.uid) : undefined;
  const body = signInPage(
    { base: oidc.base(), hasScript },
    { uid: details.uid, client, fault, passkey, ...(email !== undefined && { email }) },
  );
  await sendPage(reply, body, { formTargets: formTarget(details.params['redirect_uri']), hasScript });
}

async function showConsent(
  { oidc, accounts }: SignInRoutesOptions,
  { step, reply }: { step: Step; reply: FastifyReply },
): Promise<void> {
  const { details, client } = step;
  const { missingOIDCScope, missingResourceScopes } = missing(details);
  const scopes = [...missingOIDCScope, ...Object.values(missingResourceScopes).flat()];
  const account = await accounts.find(details.session?.accountId ?? '-');
  const what = { uid: details.uid, client, email: account?.email ?? '', scopes };
  await sendPage(reply, consentPage({ base: oidc.base() }, what), {
    formTargets: formTarget(details.params['redirect_uri']),
  });
}

async function trySignIn(options: SignInRoutesOptions, exchange: Exchange & { step: Step }): Promise<void> {
  const { signIn, secondFactor } = options;
  const { step, request, reply } = exchange;
  const { email = '', password = '' } = fieldsOf(request.body);
  const mark = markOf(options, request);
  try {
    const account = await signIn.attempt({ email, password, address: request.ip, mark });
    if (secondFactor.isAsked(account)) await showCode(options, { step, reply, account });
    else await complete(options, { ...exchange, account, amr: ['pwd'] });
  } catch (error) {
    const fault = faultOf(error, reply, failures);
    await showSignIn(options, { step, reply, email: email.slice(0, 254), fault });
  }
}

/** Takes what a device answered, which is a password and a code in one. */
async function tryPasskey(options: SignInRoutesOptions, exchange: Exchange & { step: Step }): Promise<void> {
  const { passkeys, audit } = options;
  const { step, request, reply } = exchange;
  const { credential = '' } = fieldsOf(request.body);
  try {
    const account = await passkeys.check(step.details.uid, credential);
    await complete(options, { ...exchange, account, amr: ['hwk', 'user'] });
  } catch (error) {
    const fault = faultOf(error, reply, failures);
    const code = 'PASSKEY_FAILED';
    countRefusal(audit, { account: undefined, address: request.ip }, { action: 'sign-in passkey', code });
    await showSignIn(options, { step, reply, fault });
  }
}

/** Takes the code that is asked for after the password. */
async function tryCode(options: SignInRoutesOptions, exchange: Exchange & { step: Step }): Promise<void> {
  const { oidc, secondFactor } = options;
  const { step, request, reply } = exchange;
  const { proof = '', code = '' } = fieldsOf(request.body);
  const account = await provenAccount(options, { step, proof });
  if (account === undefined) {
    const what = 'The password was typed too long ago, or changed since.';
    await sendPage(reply.code(400), failurePage({ base: oidc.base() }, what));
    return;
  }
  try {
    await secondFactor.check({ account, code, address: request.ip, mark: markOf(options, request) });
    await complete(options, { ...exchange, account, amr: ['pwd', 'otp'] });
  } catch (error) {
    await showCode(options, { step, reply, account, fault: faultOf(error, reply, failures) });
  }
}

const proofMs = 5 * 60_000;

/** Says that an account's present password was typed in this sign-in. */
function proofOf(
  { seals, clock }: SignInRoutesOptions,
  { step, account }: { step: Step; account: AccountRecord },
): string {
  const said = `${account.id}.${epochOf(account)}.${clock.nowMs() + proofMs}`;
  return `${said}.${seals.seal('password', `${step.details.uid} ${said}`)}`;
}

/** Whose password was typed in this sign-in, unless it was long ago or the password is another now. */
async function provenAccount(
  { seals, clock, accounts }: SignInRoutesOptions,
  { step, proof }: { step: Step; proof: string },
): Promise<AccountRecord | undefined> {
  const [id = '', epoch = '', expiresMs = '', seal = ''] = proof.split('.');
  const isOurs = seals.isSeal('password', `${step.details.uid} ${id}.${epoch}.${expiresMs}`, seal);
  const account = isOurs && Number(expiresMs) > clock.nowMs() ? await accounts.find(id) : undefined;
  if (account === undefined || account.disabled) return undefined;
  return isOfPresentPassword({ passwordEpoch: Number(epoch) }, account) ? account : undefined;
}

async function showCode(
  options: SignInRoutesOptions,
  what: { step: Step; reply: FastifyReply; account: AccountRecord; fault?: string },
): Promise<void> {
  const { step, reply, fault } = what;
  const { details } = step;
  const proof = proofOf(options, what);
  const body = codePage({ base: options.oidc.base() }, { uid: details.uid, proof, fault });
  await sendPage(reply, body, { formTargets: formTarget(details.params['redirect_uri']) });
}

function markName({ oidc }: SignInRoutesOptions): string {
  return `${oidc.issuer().startsWith('https:') ? '__Secure-' : ''}nearcast-mark`;
}

function markOf(options: SignInRoutesOptions, { headers }: FastifyRequest): string | undefined {
  return cookieOf(headers.cookie, markName(options));
}

/** What the list of sessions calls it. */
function browserOf({ headers }: FastifyRequest): string {
  const [brands, platform] = [headers['sec-ch-ua'], headers['sec-ch-ua-platform']].map(
    (hint) => [hint].flat()[0],
  );
  return browserName({ userAgent: headers['user-agent'], brands, platform });
}

/** Lets someone in who has shown all that is asked for. */
async function complete(
  options: SignInRoutesOptions,
  { step, request, reply, account, amr }: Exchange & { step: Step; account: AccountRecord; amr: string[] },
): Promise<void> {
  const { oidc, signIn, audit } = options;
  const isHttps = oidc.issuer().startsWith('https:');
  const flags = `Path=${oidc.base()}/oauth; HttpOnly; SameSite=Lax${isHttps ? '; Secure' : ''}`;
  const cookie = `${markName(options)}=${signIn.mark(account)}; Max-Age=${String(markLifeS)}; ${flags}`;
  const object = String(step.details.params['client_id']).slice(0, 200);
  const work = async (): Promise<void> => {
    reply.raw.appendHeader('set-cookie', cookie);
    const browser = browserOf(request);
    const login = { accountId: account.id, amr, passwordEpoch: epochOf(account), browser };
    await finish(step, reply, { login });
  };
  await auditedRun(
    audit,
    { account, address: request.ip },
    { act: { action: 'sign-in', object, detail: amr.join(' ') }, work },
  );
}

/** What a person can do wrong here. */
const failures = [
  'SIGN_IN_FAILED',
  'SECOND_FACTOR_FAILED',
  'PASSKEY_FAILED',
  'RATE_LIMITED',
  'OVERLOADED',
] as const;

/** Grants what was asked for, and goes on. */
async function allow(
  { oidc, accounts, secondFactor, audit }: SignInRoutesOptions,
  { step, request, reply }: Exchange & { step: Step },
): Promise<void> {
  const { details } = step;
  const session = details.session && (await step.provider.Session.findByUid(details.session.uid));
  if (session?.accountId === undefined) {
    await finish(step, reply, { error: 'access_denied' });
    return;
  }
  const { accountId } = session;
  const clientId = String(details.params['client_id']);
  const work = async (): Promise<void> => {
    const grantId = await makeGrant(step, newGrant(step.provider, { session, clientId }));
    await finish(step, reply, { consent: { grantId } });
  };
  if (clientId === pagesClientId) {
    await work();
    return;
  }
  const account = await accounts.find(accountId);
  if (account !== undefined && secondFactor.isMissing(account)) {
    const what = 'Your role needs codes of an authenticator: set them up on your account page first.';
    await sendPage(reply.code(403), failurePage({ base: oidc.base() }, what));
    return;
  }
  const person = { account, address: request.ip };
  const detail = Object.values(missing(details).missingResourceScopes).flat().join(' ').slice(0, 500);
  await auditedRun(audit, person, { act: { action: 'consent', object: clientId, detail }, work });
}

async function makeGrant({ details }: Step, grant: ReturnType<typeof newGrant>): Promise<string> {
  const { missingOIDCScope, missingResourceScopes } = missing(details);
  grant.addOIDCScope(missingOIDCScope.join(' '));
  for (const [resource, scopes] of Object.entries(missingResourceScopes))
    grant.addResourceScope(resource, scopes.join(' '));
  return grant.save();
}

async function finish(
  { provider, seen }: Step,
  reply: FastifyReply,
  result: Parameters<Provider['interactionFinished']>[2],
): Promise<void> {
  passHeaders(reply);
  reply.hijack();
  await provider.interactionFinished(seen, reply.raw, result, { mergeWithLastSubmission: true });
}

interface Missing {
  missingOIDCScope: readonly string[];
  missingResourceScopes: Readonly<Record<string, readonly string[]>>;
}

function missing({ prompt }: Interaction): Missing {
  const { missingOIDCScope = [], missingResourceScopes = {} } = prompt.details as Partial<Missing>;
  return { missingOIDCScope, missingResourceScopes };
}
