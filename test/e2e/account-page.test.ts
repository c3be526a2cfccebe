import t, { type Test } from 'tap';
import type { Browser, Locator, Page } from 'playwright-core';
import { fromBase32, totpCode, totpStep } from '../../control-plane/services/auth/core/totp.ts';
import type { TestPlane } from '../control-plane/support/control-plane.ts';
import { startEitherWay } from '../control-plane/support/either-way.ts';
import { addPerson, password, signIn } from '../control-plane/support/sign-in.ts';
import { WebClient } from '../control-plane/support/web-client.ts';
import { browserMissing, openBrowser } from '../support/browser.ts';
import { lookAt } from '../support/look-at.ts';

const tabsMax = 40;
const newPassword = 'nine blue herons wade slowly';

/** Goes to an element as one who has a keyboard and nothing else: by Tab, and seeing where it is. */
async function tabTo(t: Test, wanted: Locator): Promise<void> {
  const page = wanted.page();
  for (let tabs = 0; tabs < tabsMax; tabs++) {
    if (await isAt(wanted)) break;
    await page.keyboard.press('Tab');
  }
  const what = String(wanted);
  t.ok(await isAt(wanted), `${what} can be reached`);
  const outline = await wanted.evaluate((element: unknown) => {
    const { getComputedStyle: styleOf } = globalThis as unknown as {
      getComputedStyle(one: unknown): { outlineStyle: string };
    };
    return styleOf(element).outlineStyle;
  });
  t.not(outline, 'none', `${what} is seen to be where the keyboard is`);
}

async function isAt(wanted: Locator): Promise<boolean> {
  return (await wanted.and(wanted.page().locator(':focus')).count()) === 1;
}

async function press(t: Test, page: Page, name: string): Promise<void> {
  await tabTo(t, page.getByRole('button', { name, exact: true }).first());
  await page.keyboard.press('Enter');
}

async function type(t: Test, field: Locator, text: string): Promise<void> {
  await tabTo(t, field);
  await field.page().keyboard.type(text);
}

/** Signs in on the account page, by keyboard. */
async function openAccount(
  t: Test,
  page: Page,
  { plane, typed = password }: { plane: TestPlane; typed?: string },
): Promise<void> {
  await page.goto(`${plane.url}/account`);
  await type(t, page.getByLabel('Mail address'), 'ada@example.com');
  await type(t, page.getByLabel('Password'), typed);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Your account' }).waitFor();
}

/** What is said of the field that a fault is about, once the keyboard is in it by itself. */
async function heard(page: Page, id: string): Promise<string> {
  const field = page.locator(`#${id}:focus[aria-invalid=true]`);
  await field.waitFor();
  const ids = ((await field.getAttribute('aria-describedby')) ?? '').split(' ');
  const said = await Promise.all(ids.map((one) => page.locator(`#${one}`).textContent()));
  return said.join(' ');
}

/** Signs the same person in elsewhere. */
async function signInElsewhere(plane: TestPlane): Promise<void> {
  const web = new WebClient(plane.url);
  await signIn(web, await web.get('/account'));
}

async function openPage(
  t: Test,
  browser: Browser,
  options: { javaScriptEnabled: boolean },
): Promise<{ page: Page; refused: string[] }> {
  const context = await browser.newContext(options);
  t.teardown(() => context.close());
  const page = await context.newPage();
  const refused: string[] = [];
  page.on('console', (message) => {
    if (/Content Security Policy|refused to/i.test(message.text())) refused.push(message.text());
  });
  return { page, refused };
}

t.test(
  'the account page is used by the keyboard alone, without scripts',
  { skip: browserMissing },
  async (t) => {
    const plane = await startEitherWay(t, { flags: ['--host', 'localhost'] });
    await addPerson(plane);
    await signInElsewhere(plane);
    const browser = await openBrowser();
    t.teardown(() => browser.close());
    const { page, refused } = await openPage(t, browser, { javaScriptEnabled: false });
    const look = (what: string) => lookAt(page, (faults, how) => t.strictSame(faults, [], `${what}, ${how}`));
    const field = (id: string) => page.locator(`#${id}`);

    await openAccount(t, page, { plane });
    t.equal(await page.getByRole('listitem').count(), 2);
    await look('two sessions');
    t.match(
      await page.locator('main').textContent(),
      /has to run this page’s script/,
      'why there is no form',
    );
    await press(t, page, 'Send me a letter with a link for it');
    await page.getByRole('status').getByText('A letter is on its way').waitFor();
    await press(t, page, 'End');
    await page.waitForURL(/\/account$/);
    t.equal(await page.getByRole('listitem').count(), 1, 'ended');

    await type(t, field('totp-password'), 'not this one');
    await page.keyboard.press('Enter');
    t.match(await heard(page, 'totp-password'), /^The password is not right.* after the password/s);
    t.match(await page.title(), /^Error: /);
    await look('a password that is not right');
    await page.keyboard.type(password);
    await page.keyboard.press('Enter');
    const shown = (await field('totp-key').textContent()) ?? '';
    const key = fromBase32(shown.replaceAll(' ', ''));
    await type(t, field('totp-code'), '000000');
    await page.keyboard.press('Enter');
    t.match(await heard(page, 'totp-code'), /^The code is not right/);
    await page.keyboard.type(totpCode(key, totpStep(plane.clock.nowMs())));
    await page.keyboard.press('Enter');
    await page.getByRole('status').waitFor();
    const [recovery = ''] = await page.locator('#recovery code').allTextContents();
    await look('recovery codes');
    await type(t, field('totp-code'), recovery);
    await page.keyboard.press('Enter');
    await page.getByText('No code is asked for any more').waitFor();

    await type(t, field('current'), 'not this one');
    await type(t, field('password'), newPassword);
    await page.keyboard.press('Enter');
    t.match(await heard(page, 'current'), /^The password is not right/);
    await page.keyboard.type(password);
    await type(t, field('password'), 'password1234');
    await page.keyboard.press('Enter');
    t.match(await heard(page, 'password'), /^The password is not strong enough.* At least 12/s);
    await look('a password that is not strong enough');
    await type(t, field('current'), '');
    await page.keyboard.type(password);
    await type(t, field('password'), newPassword);
    await page.keyboard.press('Enter');
    await page.getByText('Your password is changed').waitFor();
    await press(t, page, 'Sign out here');
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await openAccount(t, page, { plane, typed: newPassword });
    t.strictSame(refused, [], 'the policy refuses nothing that the page needs');
  },
);

t.test(
  'passkeys are made by the keyboard alone, and removed without scripts too',
  { skip: browserMissing },
  async (t) => {
    const plane = await startEitherWay(t, { flags: ['--host', 'localhost'] });
    await addPerson(plane);
    const browser = await openBrowser();
    t.teardown(() => browser.close());
    const { page } = await openPage(t, browser, { javaScriptEnabled: true });
    const cdp = await page.context().newCDPSession(page);
    await cdp.send('WebAuthn.enable');
    await cdp.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        ...{ protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true },
        ...{ isUserVerified: true, automaticPresenceSimulation: true },
      },
    });
    await openAccount(t, page, { plane });
    for (const [typed, answer] of [
      ['not this one', 'The password is not right'],
      [password, 'You can sign in with the passkey of my phone'],
    ] as const) {
      await type(t, page.locator('#passkey-name'), 'my phone');
      await type(t, page.locator('#passkey-password'), typed);
      await page.keyboard.press('Enter');
      await page.getByText(answer).waitFor();
      if (typed !== password) t.match(await heard(page, 'passkey-password'), /^The password is not right/);
    }
    await lookAt(page, (faults, how) => t.strictSame(faults, [], `a passkey, ${how}`));
    const { page: plain } = await openPage(t, browser, { javaScriptEnabled: false });
    await openAccount(t, plain, { plane });
    await press(t, plain, 'Remove');
    await plain.waitForURL(/\/account$/);
    t.equal(await plain.locator('#passkeys li').count(), 0);
  },
);
