import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

import * as client from 'openid-client';
import t from 'tap';

import { startEitherWay } from '../control-plane/support/either-way.ts';
import { addClient, addPerson, password } from '../control-plane/support/sign-in.ts';
import { browserMissing, openBrowser } from '../support/browser.ts';

t.test(
  'a program signs someone in, in a real browser without scripts',
  { skip: browserMissing },
  async (t) => {
    const plane = await startEitherWay(t);
    const ada = await addPerson(plane);
    const app = createServer((_request, response) => response.end('back at the program'));
    app.listen(0, '127.0.0.1');
    await once(app, 'listening');
    t.teardown(() => app.close());
    const redirectUri = `http://127.0.0.1:${String((app.address() as AddressInfo).port)}/callback`;
    const { id } = await addClient(plane, { redirectUris: [redirectUri] });
    const config = await client.discovery(new URL(plane.url), id, undefined, client.None(), {
      // eslint-disable-next-line @typescript-eslint/no-deprecated -- so called to stand out: the test is without TLS
      execute: [client.allowInsecureRequests],
    });
    const verifier = client.randomPKCECodeVerifier();
    const state = client.randomState();
    const url = client.buildAuthorizationUrl(config, {
      ...{ redirect_uri: redirectUri, scope: 'openid offline_access read', state, prompt: 'consent' },
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    });

    const browser = await openBrowser();
    t.teardown(() => browser.close());
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    const refused: string[] = [];
    page.on('console', (message) => {
      if (/Content Security Policy|refused to/i.test(message.text())) refused.push(message.text());
    });
    await page.goto(url.href);
    await page.getByLabel('Mail address').fill('ada@example.com');
    await page.getByLabel('Password').fill('not this one');
    await page.getByRole('button', { name: 'Sign in' }).click();
    t.match(await page.getByRole('alert').textContent(), /not right/);
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('heading', { name: 'Let A test in?' }).waitFor();
    t.match(
      await page.getByRole('list').textContent(),
      /know who you are[^]*stay signed in[^]*read everything/,
    );
    await page.getByRole('button', { name: 'Allow', exact: true }).click();
    await page.getByText('back at the program').waitFor();
    const checks = { pkceCodeVerifier: verifier, expectedState: state };
    const tokens = await client.authorizationCodeGrant(config, new URL(page.url()), checks);
    t.match((await plane.call('GET /v1/me', { token: tokens.access_token })).json, {
      sub: ada.id,
      role: 'operator',
    });

    await page.goto(`${plane.url}/account`);
    t.match(await page.getByRole('listitem').allTextContents(), [/A test|this one/, /A test|this one/]);
    await page.getByRole('button', { name: 'End', exact: true }).click();
    await page.getByRole('heading', { name: 'Your account' }).waitFor();
    t.equal(
      (await plane.call('GET /v1/me', { token: tokens.access_token })).status,
      401,
      'ended from the page',
    );
    await page.getByRole('button', { name: 'Sign out here' }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    t.strictSame(refused, [], 'the policy refuses nothing that the pages need');
  },
);

t.test(
  'a device is let in from a real browser without scripts, by the keyboard alone',
  { skip: browserMissing },
  async (t) => {
    const plane = await startEitherWay(t);
    const ada = await addPerson(plane);
    const { id } = await addClient(plane, { redirectUris: [] });
    const config = await client.discovery(new URL(plane.url), id, undefined, client.None(), {
      // eslint-disable-next-line @typescript-eslint/no-deprecated -- so called to stand out: the test is without TLS
      execute: [client.allowInsecureRequests],
    });
    const device = await client.initiateDeviceAuthorization(config, { scope: 'openid offline_access read' });
    const browser = await openBrowser();
    t.teardown(() => browser.close());
    const page = await (await browser.newContext({ javaScriptEnabled: false })).newPage();
    const { keyboard } = page;
    const at = (title: string) => page.getByRole('heading', { name: title }).waitFor();
    await page.goto(device.verification_uri);
    await at('Connect a device');
    // Where a page begins with a field the keyboard is there already.
    await keyboard.type('BBBB-BBBB');
    await keyboard.press('Enter');
    await page.getByRole('alert').waitFor();
    t.match(await page.title(), /^Error: /);
    await keyboard.press('ControlOrMeta+a');
    await keyboard.type(device.user_code);
    await keyboard.press('Enter');
    await at('Is this your device?');
    await keyboard.press('Tab');
    await keyboard.press('Enter');
    await at('Sign in');
    await keyboard.type('ada@example.com');
    await keyboard.press('Tab');
    await keyboard.type(password);
    await keyboard.press('Enter');
    await at('Let A test in?');
    await keyboard.press('Tab');
    await keyboard.press('Enter');
    await at('Done');
    const tokens = await client.pollDeviceAuthorizationGrant(config, { ...device, interval: 1 });
    t.match((await plane.call('GET /v1/me', { token: tokens.access_token })).json, { sub: ada.id });
    const renewed = await client.refreshTokenGrant(config, tokens.refresh_token ?? '');
    t.ok(renewed.access_token);
  },
);
