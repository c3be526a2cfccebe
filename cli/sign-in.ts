import { cliClientId } from '../common/contract/accounts.ts';
import { Type, type Static, type TSchema } from '../common/contract/type.ts';
import type { Clock } from '../common/runtime/clock.ts';
import { coded } from '../common/runtime/errors.ts';
import { matches, parseAs } from '../common/runtime/parse.ts';
import { readCredentials, writeCredentials, type Credentials } from './credentials.ts';

/** Where to sign in, and by what. */
export interface SignInContext {
  readonly server: string;
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const DeviceReply = Type.Object({
  device_code: Type.String(),
  user_code: Type.String(),
  verification_uri: Type.String(),
  verification_uri_complete: Type.String(),
  expires_in: Type.Integer(),
  interval: Type.Optional(Type.Integer()),
});
export type DeviceReply = Static<typeof DeviceReply>;

const TokenReply = Type.Object({ access_token: Type.String(), refresh_token: Type.String() });
const OauthFault = Type.Object({ error: Type.String(), error_description: Type.Optional(Type.String()) });

const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code';
const callTimeoutMs = 15_000;
// RFC 8628 §3.2 where the server does not say.
const pollSDefault = 5;
// Other planes than the control plane take a session's token for a minute: one that is older than this is renewed first.
const freshMs = 25_000;

/** Asks for a code that the person enters in a browser. */
export async function askForDeviceCode(context: SignInContext): Promise<DeviceReply> {
  const fields = { client_id: cliClientId, scope: 'openid offline_access read write' };
  return success(await post(context, '/oauth/device/code', fields), DeviceReply);
}

/** Waits until the code was entered, and keeps the tokens. Errors: FORBIDDEN where the person said no, TIMEOUT. */
export async function waitForPerson(context: SignInContext, device: DeviceReply): Promise<void> {
  const { clock, signal } = context;
  const endMs = clock.monotonicMs() + device.expires_in * 1000;
  let intervalS = device.interval ?? pollSDefault;
  const fields = { client_id: cliClientId, grant_type: deviceGrant, device_code: device.device_code };
  while (clock.monotonicMs() < endMs) {
    await clock.sleep(intervalS * 1000, { signal });
    const answer = await post(context, '/oauth/token', fields);
    const { error } = answer;
    // RFC 8628 §3.5.
    if (error === 'slow_down') intervalS += 5;
    else if (error === 'access_denied') throw coded('FORBIDDEN', 'the sign-in was not allowed');
    else if (error === 'expired_token') break;
    else if (error !== 'authorization_pending') {
      await keep(context, success(answer, TokenReply));
      return;
    }
  }
  throw coded('TIMEOUT', 'the code was not entered in time; run `nearcast login` again');
}

/** The token of a sign-in to call with, renewed where it is no longer fresh; undefined where nobody signed in. */
export async function signedInToken(context: SignInContext): Promise<string | undefined> {
  const held = await readCredentials(context.server, context.env);
  if (held === undefined) return undefined;
  const ageMs = context.clock.nowMs() - held.issuedAtMs;
  if (ageMs >= 0 && ageMs < freshMs) return held.accessToken;
  const fields = { client_id: cliClientId, grant_type: 'refresh_token', refresh_token: held.refreshToken };
  const answer = await post(context, '/oauth/token', fields);
  if (answer.error === 'invalid_grant') {
    await writeCredentials(context.server, context.env, undefined);
    throw coded('CREDENTIAL_EXPIRED', 'your sign-in has ended; run `nearcast login`');
  }
  return (await keep(context, success(answer, TokenReply))).accessToken;
}

/** Ends the sign-in here and at the control plane. @returns whether there was one. */
export async function signOut(context: SignInContext): Promise<boolean> {
  const held = await readCredentials(context.server, context.env);
  if (held === undefined) return false;
  await post(context, '/oauth/revoke', { client_id: cliClientId, token: held.refreshToken });
  await writeCredentials(context.server, context.env, undefined);
  return true;
}

async function keep(
  { server, env, clock }: SignInContext,
  reply: Static<typeof TokenReply>,
): Promise<Credentials> {
  const { access_token: accessToken, refresh_token: refreshToken } = reply;
  const credentials = { accessToken, refreshToken, issuedAtMs: clock.nowMs() };
  await writeCredentials(server, env, credentials);
  return credentials;
}

interface OauthAnswer {
  status: number;
  value: unknown;
  /** OAuth's own code of what went wrong. */
  error: string | undefined;
}

async function post(
  { server, signal }: SignInContext,
  path: string,
  fields: Readonly<Record<string, string>>,
): Promise<OauthAnswer> {
  const url = new URL(path, server);
  const response = await fetch(url, {
    method: 'POST',
    headers: { accept: 'application/json' },
    body: new URLSearchParams(fields),
    redirect: 'error',
    signal: AbortSignal.any([signal, AbortSignal.timeout(callTimeoutMs)]),
  }).catch((cause: unknown) => {
    if (signal.aborted) throw coded('ABORTED', { cause });
    const detail = `${url.origin} does not answer. Is it running? Name another with --server or NEARCAST_SERVER`;
    throw coded('CONTROL_UNREACHABLE', { detail, cause });
  });
  const text = await response.text();
  const value = text === '' ? undefined : (JSON.parse(text) as unknown);
  return { status: response.status, value, error: matches(OauthFault, value) ? value.error : undefined };
}

function success<T extends TSchema>({ status, value, error }: OauthAnswer, schema: T): Static<T> {
  if (status < 400) return parseAs(schema, value, { what: 'the answer of the sign-in' });
  if (status === 429) throw coded('RATE_LIMITED', { detail: 'too many sign-ins; wait a little' });
  throw coded('CREDENTIAL_INVALID', `the sign-in was refused: ${error ?? String(status)}`);
}
