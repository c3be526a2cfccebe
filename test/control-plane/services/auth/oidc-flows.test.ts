import { join } from 'node:path';
import Database from 'better-sqlite3';
import * as client from 'openid-client';
import t from 'tap';
import { AuditPage } from '../../../../common/contract/audit.ts';
import { SessionList } from '../../../../common/contract/accounts.ts';
import { startPlane, temporaryDir, type TestPlane } from '../../support/control-plane.ts';
import { addClient, addPerson, signIn } from '../../support/sign-in.ts';
import { WebClient } from '../../support/web-client.ts';

const redirectUri = 'http://127.0.0.1:9/callback';
const invalidGrant = { error: 'invalid_grant' } as unknown as Error;

function discover(plane: TestPlane, id: string): Promise<client.Configuration> {
  return client.discovery(new URL(plane.url), id, undefined, client.None(), {
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- so called to stand out: the test is without TLS
    execute: [client.allowInsecureRequests],
  });
}

async function codeFlow(plane: TestPlane, { id, scope }: { id: string; scope: string }) {
  const config = await discover(plane, id);
  const web = new WebClient(plane.url);
  const verifier = client.randomPKCECodeVerifier();
  const state = client.randomState();
  const nonce = client.randomNonce();
  const url = client.buildAuthorizationUrl(config, {
    ...{ redirect_uri: redirectUri, scope, state, nonce, prompt: 'consent' },
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  });
  const done = await signIn(web, await web.get(url.href));
  const callback = new URL(done.location ?? 'http://nowhere');
  const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce };
  const tokens = await client.authorizationCodeGrant(config, callback, checks);
  return { config, web, tokens, callback, checks };
}

t.test('code with PKCE: signed in, consented, tokens that the API takes, renewed, revoked', async (t) => {
  const plane = await startPlane(t);
  const ada = await addPerson(plane);
  const { id } = await addClient(plane);
  const { config, tokens, callback, checks } = await codeFlow(plane, {
    id,
    scope: 'openid profile email offline_access nodes:read titles:read sessions:read',
  });
  t.match(tokens.claims(), { sub: ada.id, email: 'ada@example.com', name: 'Ada', iss: plane.url });
  const token = tokens.access_token;
  t.match((await plane.call('GET /v1/me', { token })).json, {
    sub: ada.id,
    role: 'operator',
    account: { id: ada.id },
  });
  t.equal((await plane.call('GET /v1/nodes', { token })).status, 200);
  t.match(await plane.call('GET /v1/status', { token }), { status: 403, json: { detail: /status:read/ } });
  t.match(
    await plane.call('GET /v1/titles', { token: tokens.id_token ?? '' }),
    { status: 401 },
    'an ID token is none',
  );

  const renewed = await client.refreshTokenGrant(config, tokens.refresh_token ?? '');
  t.not(renewed.refresh_token, tokens.refresh_token, 'rotated');
  t.equal((await plane.call('GET /v1/nodes', { token: renewed.access_token })).status, 200);

  const { sessions } = (await plane.call('GET /v1/sessions', { token })).as(SessionList);
  t.match(sessions, [{ kind: 'program', name: 'A test', accountId: ada.id }, { kind: 'browser' }]);
  await client.tokenRevocation(config, renewed.refresh_token ?? '');
  t.match(await plane.call('GET /v1/nodes', { token: renewed.access_token }), { status: 401 });
  await t.rejects(client.refreshTokenGrant(config, renewed.refresh_token ?? ''), invalidGrant);
  await t.rejects(
    client.authorizationCodeGrant(config, callback, checks),
    invalidGrant,
    'a code is good once',
  );
});

t.test('a new password ends what the one before let in, whatever cannot be removed', async (t) => {
  const dataDir = await temporaryDir(t);
  await (await startPlane(t, { dataDir })).stop();
  const file = new Database(join(dataDir, 'records', 'auth.db'));
  file.exec(`CREATE TRIGGER broken BEFORE DELETE ON records WHEN old.collection = 'oidc' AND old.key LIKE 'Grant/%'
    BEGIN SELECT RAISE(ABORT, 'the disk is broken'); END`);
  file.close();
  const plane = await startPlane(t, { dataDir });
  const ada = await addPerson(plane);
  const { id } = await addClient(plane);
  const { config, web, tokens } = await codeFlow(plane, { id, scope: 'openid offline_access nodes:read' });
  const token = tokens.access_token;
  t.equal((await plane.call('GET /v1/nodes', { token })).status, 200);
  t.match(await web.get('/account'), { status: 200, text: /Where you are signed in/ });
  const body = { password: 'nine blue whales whistle' };
  const change = await plane.call(`PATCH /v1/accounts/${ada.id}`, { body });
  t.ok(change.status >= 500, 'what is to be removed stays');
  t.equal((await plane.call('GET /v1/nodes', { token })).status, 401);
  await t.rejects(client.refreshTokenGrant(config, tokens.refresh_token ?? ''), invalidGrant);
  t.match((await web.get('/account')).location, /sign-in/);
  const { sessions } = (await plane.call(`GET /v1/sessions?account=${ada.id}`)).as(SessionList);
  t.strictSame(sessions, []);
});

t.test('a code that is used twice ends what it gave', async (t) => {
  const plane = await startPlane(t);
  await addPerson(plane);
  const { id } = await addClient(plane);
  const { config, tokens, callback, checks } = await codeFlow(plane, { id, scope: 'openid nodes:read' });
  t.equal((await plane.call('GET /v1/nodes', { token: tokens.access_token })).status, 200);
  await t.rejects(client.authorizationCodeGrant(config, callback, checks), invalidGrant);
  t.equal((await plane.call('GET /v1/nodes', { token: tokens.access_token })).status, 401);
});

t.test(
  'refresh: the immediate predecessor is taken for a moment, an older one ends the family',
  async (t) => {
    const plane = await startPlane(t);
    const ada = await addPerson(plane);
    const { id } = await addClient(plane);
    const { config, tokens } = await codeFlow(plane, { id, scope: 'openid offline_access read' });
    const first = tokens.refresh_token ?? '';
    const [second, again] = await Promise.all([
      client.refreshTokenGrant(config, first),
      client.refreshTokenGrant(config, first),
    ]);
    t.ok(again.access_token, 'two calls that met');
    const third = await client.refreshTokenGrant(config, second.refresh_token ?? '');
    await t.rejects(client.refreshTokenGrant(config, first), invalidGrant, 'older than the predecessor');
    await t.rejects(client.refreshTokenGrant(config, third.refresh_token ?? ''), invalidGrant);
    t.equal(
      (await plane.call('GET /v1/nodes', { token: third.access_token })).status,
      401,
      'the whole family',
    );
    const { entries } = (await plane.call('GET /v1/audit?action=refresh')).as(AuditPage);
    t.match(entries, [{ account: ada.id, action: 'refresh token used twice', network: '127.0.0.1' }]);
  },
);

t.test(
  'codes for devices: slowed down, entered, confirmed, polled; the browser that helps keeps no part of it',
  async (t) => {
    const plane = await startPlane(t);
    const ada = await addPerson(plane);
    const { id } = await addClient(plane, { redirectUris: [] });
    const config = await discover(plane, id);
    const device = await client.initiateDeviceAuthorization(config, { scope: 'openid offline_access read' });
    t.match(device, { user_code: /^[B-Z]{4}-[B-Z]{4}$/, verification_uri: `${plane.url}/oauth/device` });

    const slow = await client.initiateDeviceAuthorization(config, { scope: 'openid read' });
    const poll = async () => {
      const body = {
        grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
        device_code: slow.device_code,
        client_id: id,
      };
      const web = new WebClient(plane.url);
      return web.post('/oauth/token', body, 'application/json');
    };
    t.match((await poll()).text, 'authorization_pending');
    t.match(await poll(), { status: 400, text: /slow_down/ });
    t.match((await poll()).text, 'slow_down');

    const web = new WebClient(plane.url);
    const form = await web.get(device.verification_uri_complete ?? '');
    t.match(form.text, device.user_code, 'filled in, not sent');
    const xsrf = /name="xsrf" value="(\w+)"/.exec(form.text)?.[1] ?? '';
    const wrong = await web.post('/oauth/device', { xsrf, user_code: 'BBBB-BBBB' });
    t.match(wrong, { text: /did not work/ });
    const secret = /name="xsrf" value="(\w+)"/.exec(wrong.text)?.[1] ?? '';
    const confirm = await web.post('/oauth/device', {
      xsrf: secret,
      user_code: device.user_code.toLowerCase(),
    });
    t.match(confirm.text, /Is this your device/);
    const begun = await web.post('/oauth/device', {
      xsrf: secret,
      user_code: device.user_code,
      confirm: 'yes',
    });
    const done = await signIn(web, begun);
    t.match(done.text, /Your device is signed in/);

    const tokens = await client.pollDeviceAuthorizationGrant(config, { ...device, interval: 1 });
    t.match((await plane.call('GET /v1/me', { token: tokens.access_token })).json, {
      sub: ada.id,
      scopes: ['read'],
    });
    t.ok((await client.refreshTokenGrant(config, tokens.refresh_token ?? '')).access_token);
  },
);
