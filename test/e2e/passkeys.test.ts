import t from 'tap';
import type { CDPSession, Page } from 'playwright-core';
import { AuditPage } from '../../common/contract/audit.ts';
import { takesPasskeys } from '../../control-plane/services/auth/core/passkey-site.ts';
import { startEitherWay } from '../control-plane/support/either-way.ts';
import { addPerson, password } from '../control-plane/support/sign-in.ts';
import { WebClient } from '../control-plane/support/web-client.ts';
import { browserMissing, openBrowser } from '../support/browser.ts';
import { nearcastCli } from '../support/nearcast-cli.ts';

/** Puts an authenticator into the page's browser, as a phone or a key would be. */
async function plugIn(cdp: CDPSession, { isVerifying = true } = {}): Promise<string> {
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      ...{
        protocol: 'ctap2',
        transport: 'internal',
        hasResidentKey: true,
        automaticPresenceSimulation: true,
      },
      ...{ hasUserVerification: true, isUserVerified: isVerifying },
    },
  });
  return authenticatorId;
}

async function signOut(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Sign out here' }).click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
}

async function usePasskey(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
}

t.test(
  'a passkey is made, signs in alone, and is of no use twice, copied or elsewhere',
  { skip: browserMissing },
  async (t) => {
    // An address has no passkeys; browsers take this name for a safe place without TLS.
    const plane = await startEitherWay(t, { flags: ['--host', 'localhost'] });
    const ada = await addPerson(plane);
    const browser = await openBrowser();
    t.teardown(() => browser.close());
    const context = await browser.newContext();
    const page = await context.newPage();
    const refused: string[] = [];
    page.on('console', (message) => {
      if (/Content Security Policy|refused to/i.test(message.text())) refused.push(message.text());
    });
    const cdp = await context.newCDPSession(page);
    await cdp.send('WebAuthn.enable');
    const authenticatorId = await plugIn(cdp);

    await page.goto(`${plane.url}/account`);
    await page.getByLabel('Mail address').fill('ada@example.com');
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.getByLabel('A name for the device').fill('my <phone>');
    await page.locator('#passkey-password').fill('not this one');
    await page.getByRole('button', { name: 'Make a passkey' }).click();
    await page.getByText('not right').waitFor();
    t.equal(await page.locator('#passkeys li').count(), 0, 'it takes the password');
    await cdp.send('WebAuthn.clearCredentials', { authenticatorId });
    await page.getByLabel('A name for the device').fill('my <phone>');
    await page.locator('#passkey-password').fill(password);
    await page.getByRole('button', { name: 'Make a passkey' }).click();
    await page.getByText('You can sign in with the passkey of my <phone>').waitFor();
    t.equal(await page.locator('#passkeys li').count(), 1);

    await signOut(page);
    let sent = '';
    page.on('request', (request) => {
      if (request.url().endsWith('/passkey')) sent = request.postData() ?? '';
    });
    await usePasskey(page);
    await page.getByText('Where you are signed in').waitFor();
    t.match(await page.locator('main').textContent(), 'ada@example.com');
    await signOut(page);

    // What was sent once, sent again into a sign-in that is under way.
    const replay = async (body: string): Promise<string> => {
      const action = await page.locator('form[data-passkey]').getAttribute('action');
      const reply = await context.request.post(new URL(action ?? '', plane.url).href, {
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        data: body,
      });
      t.equal(reply.status(), 422);
      return reply.text();
    };
    t.match(await replay(sent), /not accepted/);
    for (const body of ['', 'credential=', 'credential=%7B%7D', 'credential=%7B%22id%22%3A%22x%22%7D'])
      t.match(await replay(body), /not accepted/, body);

    // A copy of the key counts as its original did when it was copied.
    const { credentials } = await cdp.send('WebAuthn.getCredentials', { authenticatorId });
    const [own] = credentials;
    await cdp.send('WebAuthn.clearCredentials', { authenticatorId });
    await cdp.send('WebAuthn.addCredential', {
      authenticatorId,
      credential: { ...own!, signCount: 0 },
    });
    await page.goto(`${plane.url}/account`);
    await usePasskey(page);
    await page.getByText('not accepted').waitFor();
    await cdp.send('WebAuthn.clearCredentials', { authenticatorId });
    await cdp.send('WebAuthn.addCredential', { authenticatorId, credential: { ...own!, signCount: 1000 } });

    // A device that does not make sure who uses it.
    await cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false });
    await page.goto(`${plane.url}/account`);
    await usePasskey(page);
    await page.getByText('Your device gave no passkey').waitFor();
    await cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: true });

    await plane.call(`PATCH /v1/accounts/${ada.id}`, { body: { disabled: true } });
    await page.goto(`${plane.url}/account`);
    await usePasskey(page);
    await page.getByText('not accepted').waitFor();
    await plane.call(`PATCH /v1/accounts/${ada.id}`, { body: { disabled: false } });
    await usePasskey(page);
    await page.getByText('Where you are signed in').waitFor();
    t.match(await nearcastCli(plane)('account', 'passkeys', 'reset', 'ada@example.com'), { code: 0 });
    await page.goto(`${plane.url}/account`);
    t.equal(await page.locator('#passkeys li').count(), 0);
    await signOut(page);
    await usePasskey(page);
    await page.getByText('not accepted').waitFor();

    const { entries } = (await plane.call(`GET /v1/audit?account=${ada.id}&after=0`)).as(AuditPage);
    for (const wanted of [
      { action: 'POST /account/passkeys', outcome: 'refused', code: 'SIGN_IN_FAILED' },
      { action: 'POST /account/passkeys', outcome: 'done' },
      { action: 'sign-in', outcome: 'done', detail: 'hwk user' },
    ])
      t.ok(
        entries.some((entry) =>
          Object.entries(wanted).every(([name, value]) => entry[name as 'action'] === value),
        ),
        JSON.stringify(wanted),
      );
    t.strictSame(refused, [], 'the policy refuses nothing that the pages need');
  },
);

t.test('where no passkeys are possible none are offered', async (t) => {
  const plane = await startEitherWay(t);
  const web = new WebClient(plane.url);
  const asked = await web.follow(await web.get('/account'));
  t.match(asked.text, 'Password');
  t.notMatch(asked.text, /passkey|script/);
  for (const [url, wanted] of [
    ['https://nearcast.example', true],
    ['https://nearcast.example:8443/cdn', true],
    ['http://localhost:7070', true],
    ['http://nearcast.example', false],
    ['http://127.0.0.1:7070', false],
    ['https://192.0.2.1', false],
    ['https://[2001:db8::1]', false],
  ] as const)
    t.equal(takesPasskeys(url), wanted, url);
});
