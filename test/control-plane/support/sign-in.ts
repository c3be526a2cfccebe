import { AccountView, OauthClientView } from '../../../common/contract/accounts.ts';
import type { TestPlane } from './control-plane.ts';
import type { WebAnswer, WebClient } from './web-client.ts';

/** A password that will do. */
export const password = 'seven grey elephants knit';

/** Adds someone who may sign in. */
export async function addPerson(plane: TestPlane, fields: object = {}): Promise<AccountView> {
  const body = { email: 'ada@example.com', name: 'Ada', role: 'operator', password, ...fields };
  return (await plane.call('POST /v1/accounts', { body })).as(AccountView);
}

/** Adds a program that signs people in. */
export async function addClient(plane: TestPlane, fields: object = {}): Promise<OauthClientView> {
  const body = { name: 'A test', redirectUris: ['http://127.0.0.1:9/callback'], device: true, ...fields };
  return (await plane.call('POST /v1/oauth-clients', { body })).as(OauthClientView);
}

/** Signs in where a page asks for it, and allows what is asked for; ends where the answer leads elsewhere. */
export async function signIn(
  web: WebClient,
  begun: WebAnswer,
  who: { email?: string; password?: string } = {},
): Promise<WebAnswer> {
  const { email = 'ada@example.com' } = who;
  let at = await web.follow(begun);
  if (at.text.includes('name="password"'))
    at = await web.follow(await web.post(at.url, { email, password: who.password ?? password }));
  if (at.text.includes('/consent"')) at = await web.follow(await web.post(`${at.url}/consent`));
  return at;
}
