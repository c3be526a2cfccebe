import t from 'tap';
import { AuditPage } from '../../../../common/contract/audit.ts';
import { createManualClock, type ManualClock } from '../../../../common/runtime/manual-clock.ts';
import { hashSecret } from '../../../../common/runtime/keys.ts';
import { startPlane, type TestPlane } from '../../support/control-plane.ts';
import { addClient, addPerson, password, signIn } from '../../support/sign-in.ts';
import { WebClient, type WebAnswer } from '../../support/web-client.ts';

const redirectUri = 'http://127.0.0.1:9/callback';
const verifier = 'a-verifier-that-nobody-guesses-0123456789abcdef';
const hourMs = 3_600_000;

function authorizeUrl(id: string): string {
  const query = {
    ...{ client_id: id, response_type: 'code', redirect_uri: redirectUri, prompt: 'consent' },
    ...{ code_challenge: hashSecret(verifier), code_challenge_method: 'S256' },
    scope: 'openid offline_access read',
  };
  return `/oauth/authorize?${new URLSearchParams(query).toString()}`;
}

const codeOf = ({ location = 'x:' }: WebAnswer): string => new URL(location).searchParams.get('code') ?? '';

/** What the token endpoint says to a program. */
async function ask(plane: TestPlane, fields: Record<string, string>): Promise<Record<string, string>> {
  const answer = await new WebClient(plane.url).post('/oauth/token', fields, 'application/json');
  return JSON.parse(answer.text) as Record<string, string>;
}

const redeem = (plane: TestPlane, id: string, code: string) =>
  ask(plane, {
    ...{ grant_type: 'authorization_code', client_id: id, code },
    ...{ redirect_uri: redirectUri, code_verifier: verifier },
  });
const renew = (plane: TestPlane, id: string, token = '') =>
  ask(plane, { grant_type: 'refresh_token', client_id: id, refresh_token: token });

t.test('steps of a sign-in that come early, late or again lead nowhere', async (t) => {
  const plane = await startPlane(t);
  await addPerson(plane);
  const { id } = await addClient(plane);
  const web = new WebClient(plane.url);
  const early = await web.follow(await web.get(authorizeUrl(id)));
  const denied = await web.follow(await web.post(`${early.url}/consent`));
  t.match(denied.location, /error=access_denied/, 'nobody consents before somebody has signed in');

  const asked = await web.follow(await web.get(authorizeUrl(id)));
  const login = await web.post(asked.url, { email: 'ada@example.com', password });
  const resume = login.location ?? '';
  t.match(resume, /\/oauth\/authorize\//);
  const other = new WebClient(plane.url);
  t.match(await other.get(resume), { status: 400 }, 'in another browser');
  const consent = await web.follow(login);
  t.match(consent.text, 'Allow');
  for (const late of ['', '/code', '/consent', '/cancel'])
    t.match(
      await web.post(asked.url + late, { email: 'ada@example.com', password }),
      { status: 400, text: /expired/ },
      `what was done already: ${late}`,
    );
  t.match(await web.get(resume), { status: 400 });
  t.match(await other.post(`${consent.url}/consent`), { status: 400 });
  const allowed = await web.post(`${consent.url}/consent`);
  const done = await web.follow(allowed);
  t.match(done.location, /callback\?code=/);
  t.notMatch((await web.get(allowed.location ?? '')).location ?? '', /code=/, 'one consent, one code');
  t.match(await web.post(`${consent.url}/consent`), { status: 400 });
});

t.test('a code that two redeem at once is worth nothing, and is told of', async (t) => {
  const plane = await startPlane(t);
  const { id: account } = await addPerson(plane);
  const { id } = await addClient(plane);
  const web = new WebClient(plane.url);
  const code = codeOf(await signIn(web, await web.get(authorizeUrl(id))));
  const answers = await Promise.all([1, 2, 3].map(() => redeem(plane, id, code)));
  const given = answers.flatMap(({ access_token: token }) => (token === undefined ? [] : [token]));
  t.ok(given.length <= 1, `${given.length} have got tokens`);
  for (const { access_token: token, error } of answers)
    if (token === undefined) t.equal(error, 'invalid_grant');
  for (const token of given) t.match(await plane.call('GET /v1/nodes', { token }), { status: 401 });
  const { entries } = (await plane.call('GET /v1/audit?action=authorization')).as(AuditPage);
  t.match(entries, [{ account, action: 'authorization code used twice', code: 'CREDENTIAL_INVALID' }]);
});

t.test('a device’s code lets one device in, once', async (t) => {
  const plane = await startPlane(t);
  await addPerson(plane);
  const { id } = await addClient(plane);
  const web = new WebClient(plane.url);
  const begun = await web.post(
    '/oauth/device/code',
    { client_id: id, scope: 'openid read' },
    'application/json',
  );
  const device = JSON.parse(begun.text) as { device_code: string; user_code: string };
  const xsrfOf = ({ text }: WebAnswer) => /name="xsrf" value="([^"]+)"/.exec(text)?.[1] ?? '';
  const form = await web.get('/oauth/device');
  const confirm = { xsrf: xsrfOf(form), user_code: device.user_code, confirm: 'yes' };
  t.match(
    await new WebClient(plane.url).post('/oauth/device', confirm),
    { text: /role="alert"/ },
    'a form of somebody else',
  );
  const done = await signIn(web, await web.post('/oauth/device', confirm));
  t.match(done.text, /Your device is signed in/);
  const again = await web.get('/oauth/device');
  t.match(await web.post('/oauth/device', { ...confirm, xsrf: xsrfOf(again) }), { text: /did not work/ });
  const redeemDevice = () =>
    ask(plane, {
      ...{ grant_type: 'urn:ietf:params:oauth:grant-type:device_code', client_id: id },
      device_code: device.device_code,
    });
  const answers = await Promise.all([redeemDevice(), redeemDevice()]);
  t.equal(answers.filter(({ access_token: token }) => token !== undefined).length <= 1, true);
});

interface Renewing {
  readonly plane: TestPlane;
  readonly clock: ManualClock;
  readonly id: string;
  readonly first: Record<string, string>;
}

async function startRenewing(t: Parameters<typeof startPlane>[0]): Promise<Renewing> {
  const clock = createManualClock({ nowMs: Date.now() });
  const plane = await startPlane(t, { clock });
  // Its keys are good from its start on.
  clock.jumpWall(3 * hourMs);
  await addPerson(plane);
  const { id } = await addClient(plane);
  const web = new WebClient(plane.url);
  const code = codeOf(await signIn(web, await web.get(authorizeUrl(id))));
  return { plane, clock, id, first: await redeem(plane, id, code) };
}

t.test('a clock that is set back ends no session, and gives no old token a new life', async (t) => {
  const { plane, clock, id, first } = await startRenewing(t);
  const second = await renew(plane, id, first['refresh_token']);
  clock.jumpWall(-5000);
  const met = await renew(plane, id, first['refresh_token']);
  t.ok(met['access_token'], 'two calls that met while the clock was set right');
  const third = await renew(plane, id, second['refresh_token']);
  clock.jumpWall(-2 * hourMs);
  const fourth = await renew(plane, id, third['refresh_token']);
  t.ok(fourth['access_token'], 'the newest is good');
  t.match(await renew(plane, id, second['refresh_token']), { error: 'invalid_grant' }, 'an older one is not');
  t.match(await renew(plane, id, fourth['refresh_token']), { error: 'invalid_grant' }, 'and ends them all');
});

t.test('a clock that is far ahead for a while: sessions rest, and are there again', async (t) => {
  const { plane, clock, id, first } = await startRenewing(t);
  clock.jumpWall(200 * 24 * hourMs);
  t.match(await renew(plane, id, first['refresh_token']), { error: 'invalid_grant' });
  clock.jumpWall(-200 * 24 * hourMs);
  t.ok((await renew(plane, id, first['refresh_token']))['access_token']);
});

t.test('guesses wait as long as they are to, whatever the clock on the wall does', async (t) => {
  // It stands still, so that the machine's speed decides nothing.
  const clock = createManualClock({ nowMs: Date.now() });
  const plane = await startPlane(t, { clock });
  clock.jumpWall(3 * hourMs);
  await addPerson(plane);
  const { id } = await addClient(plane);
  const web = new WebClient(plane.url);
  const page = await web.follow(await web.get(authorizeUrl(id)));
  const guess = async (given = 'a guess of somebody') =>
    web.post(page.url, { email: 'ada@example.com', password: given });
  const waitS = async (): Promise<number> => Number((await guess()).headers['retry-after'] ?? 0);
  for (let at = 0; at < 5; at++) t.equal(await waitS(), 0);
  for (const seconds of [1, 2, 4, 8]) {
    t.equal(await waitS(), seconds);
    clock.jumpWall(-hourMs);
    t.equal(await waitS(), seconds, 'set back');
    // Less than a sign-in may take.
    clock.jumpWall(hourMs + 300_000);
    t.equal(await waitS(), seconds, 'set forward');
    clock.jumpWall(-300_000);
    await clock.advance(1000 * seconds);
    t.equal((await guess()).status, 422);
  }
  await clock.advance(16_000);
  t.equal((await guess(password)).status, 303);
});
