import type { Browser, Page } from 'playwright-core';
import t, { type Test } from 'tap';

import { addPerson, password } from '../control-plane/support/sign-in.ts';
import { enrolNode, startPlane, type TestPlane } from '../control-plane/support/control-plane.ts';
import { browserMissing, openBrowser } from '../support/browser.ts';

// Several real browsers on a machine that does other things too.
const patient = { timeout: 120_000 };

/** A browser of its own, as a person has one. */
async function openConsole(t: Test, { browser, plane }: { browser: Browser; plane: TestPlane }) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  t.teardown(() => context.close());
  const page = await context.newPage();
  const refused: string[] = [];
  page.on('console', (message) => {
    if (/Content Security Policy|refused to/i.test(message.text())) refused.push(message.text());
  });
  page.on('pageerror', (error) => refused.push(error.message));
  await page.goto(`${plane.url}/console/`);
  return { context, page, refused };
}

async function signIn(page: Page, email: string): Promise<void> {
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByLabel('Mail address').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('button', { name: 'Sign out' }).waitFor();
}

/** Everything that a script of the page could carry away. */
async function stored(page: Page): Promise<string> {
  return page.evaluate(
    'JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])',
  );
}

t.test(
  'people sign in to the console, each sees what the role may',
  { ...patient, skip: browserMissing },
  async (t) => {
    const plane = await startPlane(t);
    await addPerson(plane, { email: 'root@example.com', name: 'Root', role: 'admin' });
    await addPerson(plane, { email: 'pat@example.com', name: 'Pat', role: 'partner', sites: ['isp-a'] });
    await addPerson(plane, { email: 'vic@example.com', name: 'Vic', role: 'viewer' });
    for (const [name, site] of [
      ['box-a', 'isp-a'],
      ['box-b', 'isp-b'],
    ] as const)
      await (await enrolNode(plane, name, { site })).beat();
    const browser = await openBrowser();
    t.teardown(() => browser.close());

    await t.test(
      'an admin: everything; a reload and a second tab stay signed in; signing out ends all',
      patient,
      async (t) => {
        const { context, page, refused } = await openConsole(t, { browser, plane });
        await signIn(page, 'root@example.com');
        t.equal(new URL(page.url()).search, '', 'no code stays in the address');
        await page.getByRole('row', { name: /^box-a appliance/ }).waitFor();
        await page.getByRole('row', { name: /^box-b appliance/ }).waitFor();
        await page.getByText('No titles yet').waitFor();
        await page.getByText('Root (admin)').waitFor();
        t.notMatch(
          await stored(page),
          /eyJ|code=|nearcast-session/,
          'no token where scripts could find it later',
        );
        const sent = page.waitForRequest((request) => request.url().endsWith('/v1/status'));
        const { authorization: bearer = '' } = await (await sent).allHeaders();
        const token = bearer.slice('Bearer '.length);
        t.match((await plane.call('GET /v1/me', { token })).json, {
          role: 'admin',
          scopes: ['read'],
        });
        t.equal((await plane.call('POST /v1/revocations', { token, body: {} })).status, 403, 'it only reads');

        await page.reload();
        await page.getByText('Root (admin)').waitFor();
        const second = await context.newPage();
        await second.goto(`${plane.url}/console/`);
        await second.getByText('Root (admin)').waitFor();
        const { sessions } = (await plane.call('GET /v1/sessions', { token })).json as { sessions: object[] };
        t.match(
          sessions.map((session) => (session as { name: string }).name).sort(),
          ['Chrome on Linux', 'Nearcast console'],
          'one session, however many tabs',
        );

        for (const colorScheme of ['dark', 'light'] as const)
          for (const width of [1280, 390]) {
            await page.emulateMedia({ colorScheme });
            await page.setViewportSize({ width, height: 900 });
            const isWider = await page.evaluate('document.documentElement.scrollWidth > window.innerWidth');
            t.notOk(isWider, `nothing sticks out at ${String(width)} px, ${colorScheme}`);
          }

        await page.getByRole('button', { name: 'Sign out' }).click();
        await page.getByRole('button', { name: 'Sign in' }).waitFor();
        t.equal((await plane.call('GET /v1/me', { token })).status, 401, 'the token is over');
        await second.bringToFront();
        await second.getByRole('alert').getByRole('button', { name: 'Sign in' }).waitFor();
        await page.reload();
        await page.getByRole('button', { name: 'Sign in' }).waitFor();
        t.strictSame(refused, [], 'the policy refuses nothing that the page needs');
      },
    );

    await t.test('a partner: its own boxes; a viewer: nothing of the network', patient, async (t) => {
      const partner = await openConsole(t, { browser, plane });
      await signIn(partner.page, 'pat@example.com');
      await partner.page.getByRole('heading', { name: 'Your boxes' }).waitFor();
      await partner.page.getByRole('row', { name: /^box-a appliance/ }).waitFor();
      await partner.page.getByRole('heading', { name: /Last fill/ }).waitFor();
      const text = await partner.page.locator('main').textContent();
      t.notMatch(text, /box-b|isp-b|Titles|playbacks today/);
      t.equal(await partner.page.getByRole('alert').count(), 0);
      t.strictSame(partner.refused, []);
      const viewer = await openConsole(t, { browser, plane });
      await signIn(viewer.page, 'vic@example.com');
      await viewer.page.getByText('nothing of the network').waitFor();
      t.equal(await viewer.page.getByRole('table').count(), 0);
    });

    await t.test('an answer that was not asked for signs nobody in', patient, async (t) => {
      const { page } = await openConsole(t, { browser, plane });
      await page.goto(`${plane.url}/console/?code=stolen&state=made-up&iss=${encodeURIComponent(plane.url)}`);
      await page.getByRole('button', { name: 'Sign in' }).waitFor();
      t.equal(new URL(page.url()).search, '');
      const cross = await page.request.post(`${plane.url}/account/sign-out`, {
        headers: { origin: 'https://evil.example', 'content-type': 'application/x-www-form-urlencoded' },
      });
      t.equal(cross.status(), 403, 'nor can another page sign somebody out');
    });
  },
);
