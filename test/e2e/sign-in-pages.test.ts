import t from 'tap';
import type { Page } from 'playwright-core';
import { startEitherWay } from '../control-plane/support/either-way.ts';
import { addClient, addPerson, password } from '../control-plane/support/sign-in.ts';
import { browserMissing, openBrowser } from '../support/browser.ts';
import { lookAt } from '../support/look-at.ts';

t.test(
  'pages of sign-in can be used on a narrow phone and a wide screen, by day and by night',
  { skip: browserMissing },
  async (t) => {
    const plane = await startEitherWay(t, { flags: ['--host', 'localhost'] });
    await addPerson(plane);
    const { id } = await addClient(plane);
    const query = new URLSearchParams({
      ...{
        client_id: id,
        response_type: 'code',
        redirect_uri: 'http://127.0.0.1:9/callback',
        prompt: 'consent',
      },
      ...{
        scope: 'openid offline_access read',
        code_challenge: 'a'.repeat(43),
        code_challenge_method: 'S256',
      },
    });
    const browser = await openBrowser();
    t.teardown(() => browser.close());
    const context = await browser.newContext();
    const page = await context.newPage();
    const look = (what: string) => lookAt(page, (faults, how) => t.strictSame(faults, [], `${what}, ${how}`));

    await page.goto(`${plane.url}/oauth/authorize?${query.toString()}`);
    await page.getByLabel('Mail address').fill('ada@example.com');
    await page.getByLabel('Password').fill('not this one');
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.getByText('not right').waitFor();
    await look('sign-in, refused');
    t.equal(await page.title(), 'Error: Sign in – Nearcast', 'what is read first says that it went wrong');
    for (const label of ['Mail address', 'Password'])
      t.match(await heardOf(page, label), /true, .*not right/);
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.getByRole('heading', { name: 'Let A test in?' }).waitFor();
    await look('consent');
    await page.goto(`${plane.url}/oauth/device`);
    await look('the code of a device');
    await page.goto(`${plane.url}/account/forgotten`);
    await look('a forgotten password');
    await page.goto(`${plane.url}/account`);
    await page.locator('#totp-password').fill(password);
    await page.getByRole('button', { name: 'Set up codes' }).click();
    await page.locator('#totp-uri').waitFor();
    await look('the account, with the key of an authenticator');
  },
);

/** What is said of a field beside its label. */
async function heardOf(page: Page, label: string): Promise<string> {
  const field = page.getByLabel(label);
  const id = await field.getAttribute('aria-describedby');
  return `${String(await field.getAttribute('aria-invalid'))}, ${String(await page.locator(`#${String(id)}`).textContent())}`;
}
