import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { openRecords } from '../../../../common/adapters/records/open.ts';
import type { Records } from '../../../../common/adapters/records/port.ts';
import { AccountView } from '../../../../common/contract/accounts.ts';
import { AuditPage } from '../../../../common/contract/audit.ts';
import { createLog } from '../../../../common/runtime/log.ts';
import { createManualClock, type ManualClock } from '../../../../common/runtime/manual-clock.ts';
import { fieldOf, linkOf, readLetter, type ReadLetter } from '../../../support/read-letter.ts';
import { startSmtpServer, type SmtpBehaviour, type SmtpServer } from '../../../support/smtp-server.ts';
import { startPlane, type TestPlane } from '../../support/control-plane.ts';
import { addPerson, password, signIn } from '../../support/sign-in.ts';
import { until } from '../../support/until.ts';
import { WebClient, type WebAnswer } from '../../support/web-client.ts';

const next = 'nine blue whales whistle';
const reset = 'Choose a new password';
const confirm = 'Confirm your mail address';
const changed = 'Your password was changed';

interface Lab {
  readonly plane: TestPlane;
  readonly clock: ManualClock;
  readonly server: SmtpServer;
  /** What was logged as a warning or worse. */
  readonly warnings: string[];
  /** Asks for a letter as somebody whom nobody knows; from another address of the network's where one is given. */
  ask(email: string, from?: string): Promise<WebAnswer>;
  /** Letters of a subject, once there are so many. */
  letters(subject: string, count: number): Promise<ReadLetter[]>;
  /** Stops the control plane, changes its files and starts it again. */
  restart(change: (records: Records) => Promise<unknown>): Promise<TestPlane>;
}

async function startLab(t: Test, behaviour?: SmtpBehaviour): Promise<Lab> {
  const server = await startSmtpServer(t, behaviour);
  const clock = createManualClock({ nowMs: Date.now() });
  const warnings: string[] = [];
  const log = createLog({
    ...{ name: 'control-plane', level: 'warn', format: 'json' },
    write: (line) => void warnings.push(line),
  });
  const mail = ['--mail-url', `smtp://127.0.0.1:${server.port}`, '--mail-from', 'nearcast@cdn.example'];
  const flags = [...mail, '--trusted-proxies', '127.0.0.1', '--auth-second-factor-roles', 'admin'];
  const plane = await startPlane(t, { clock, log, flags });
  const found = (subject: string): ReadLetter[] =>
    server.letters
      .map(({ data }) => readLetter(data))
      .filter((letter) => fieldOf(letter, 'subject').includes(subject));
  return {
    ...{ plane, clock, server, warnings },
    ask: (email, from = '198.51.100.1') =>
      new WebClient(plane.url, { 'x-forwarded-for': from }).post('/account/forgotten', { email }),
    letters: (subject, count) =>
      until(
        () => found(subject),
        ({ length }) => length >= count,
      ),
    async restart(change) {
      await plane.stop();
      const records = await openRecords(`sqlite://${join(plane.dataDir, 'records', 'auth.db')}`);
      await change(records);
      await records.close();
      return startPlane(t, { clock, log, flags, dataDir: plane.dataDir });
    },
  };
}

const secretOf = (letter: ReadLetter | undefined): string =>
  new URL(letter === undefined ? 'x:' : linkOf(letter)).searchParams.get('token') ?? '';
const post = (plane: TestPlane, what: 'confirm' | 'reset', fields: Record<string, string>) =>
  new WebClient(plane.url).post(`/account/${what}`, fields);
const mayIn = async (plane: TestPlane, given: string): Promise<boolean> => {
  const web = new WebClient(plane.url);
  const page = await signIn(web, await web.get('/account'), { password: given });
  return page.text.includes('Where you are signed in');
};

t.test('a forgotten password: a letter, one link, one use, and all sessions are over', async (t) => {
  const { plane, clock, ask, letters, server } = await startLab(t);
  const { id } = await addPerson(plane);
  const web = new WebClient(plane.url);
  await signIn(web, await web.get('/account'));
  const page = await web.get('/account/forgotten');
  t.match(page, { status: 200, headers: { 'content-security-policy': /default-src 'none'/ } });
  t.notMatch(page.text, /<script/);
  const [known, unknown] = [await ask('ADA@example.com'), await ask('nobody@example.com')];
  t.equal(known.status, 200);
  t.equal(known.text, unknown.text, 'who has an account is not told');
  const names = ({ headers }: WebAnswer) => Object.keys(headers).sort();
  t.strictSame(names(known), names(unknown));
  for (const odd of ['', 'nobody', 'ada@example.com\r\nBcc: eve@example.com', `${'a'.repeat(9000)}@b.c`])
    t.equal((await ask(odd)).text, known.text);

  const [letter] = await letters(reset, 1);
  t.match(letter?.text, /^Hello Ada,\n/);
  t.match(linkOf(letter!), `${plane.url}/account/reset?token=`, 'of the public URL');
  const secret = secretOf(letter);
  const shown = await web.get(linkOf(letter!));
  t.match(shown, { status: 200, text: /name="password"/ });
  t.match(shown.headers, { 'referrer-policy': 'no-referrer', 'cache-control': 'no-store' });
  t.equal((await web.get(linkOf(letter!))).status, 200, 'to look at it uses nothing up');
  const weak = await post(plane, 'reset', { token: secret, password: 'password1234' });
  t.match(weak, { status: 422, text: /easily guessed/ });
  t.match(await post(plane, 'confirm', { token: secret }), { status: 410 }, 'a link is for one thing');
  await ask('ada@example.com');
  const [, later] = await letters(reset, 2);

  t.match(await post(plane, 'reset', { token: secret, password: next }), { status: 200, text: /changed/ });
  t.match((await web.get('/account')).location, /sign-in/, 'sessions are over');
  t.same([await mayIn(plane, password), await mayIn(plane, next)], [false, true]);
  for (const used of [secret, secretOf(later)])
    t.match(
      await post(plane, 'reset', { token: used, password }),
      { status: 410, text: /used already/ },
      'once, and none that was made before',
    );
  t.match(await web.get(linkOf(letter!)), { status: 410 });
  const [told] = await letters(changed, 1);
  t.match(told?.text, /signed out everywhere/);
  const account = (await plane.call(`GET /v1/accounts/${id}`)).as(AccountView);
  t.equal(account.emailConfirmedAtMs, clock.nowMs(), 'who has the letter has the address');
  const { entries } = (await plane.call(`GET /v1/audit?account=${id}&action=reset`)).as(AuditPage);
  t.match(
    entries.map(({ action, outcome, network }) => [action, outcome, network]),
    [
      ['reset by letter', 'done', '127.0.0.1'],
      ['reset by letter', 'begun', '127.0.0.1'],
      ['reset letter', 'done', '198.51.100.1'],
      ['reset letter', 'begun', '198.51.100.1'],
      ['reset by letter', 'refused', '127.0.0.1'],
      ['reset by letter', 'begun', '127.0.0.1'],
      ['reset letter', 'done', '198.51.100.1'],
      ['reset letter', 'begun', '198.51.100.1'],
    ],
  );
  await plane.stop();
  const stored = await readFile(join(plane.dataDir, 'records', 'auth.db'), 'latin1');
  t.notOk(stored.includes(secretOf(later)), 'links are kept as hashes');
  t.ok(server.letters.every(({ to }) => to.join() === 'ada@example.com'));
});

t.test('a sign-in that was begun with the password before leads nowhere after a reset', async (t) => {
  const { plane, ask, letters } = await startLab(t);
  await addPerson(plane);
  const thief = new WebClient(plane.url);
  const asked = await thief.follow(await thief.get('/account'));
  const begun = await thief.post(asked.url, { email: 'ada@example.com', password });
  t.match(
    begun,
    { status: 303, location: /oauth\/authorize/ },
    'the password was right, and its way on is kept',
  );
  await ask('ada@example.com');
  const [letter] = await letters(reset, 1);
  t.match(await post(plane, 'reset', { token: secretOf(letter), password: next }), { status: 200 });
  await thief.follow(begun);
  t.match((await thief.get('/account')).location, /sign-in/);
  t.equal(await mayIn(plane, next), true);
});

t.test('a letter tells of a new password also where it cannot be read what else lets in', async (t) => {
  const { plane, ask, letters, restart, warnings } = await startLab(t);
  const { id } = await addPerson(plane);
  await ask('ada@example.com');
  const [letter] = await letters(reset, 1);
  const again = await restart(async (records) => {
    await records.put('passkeys-of', `${id}/damaged`, {});
    await records.put('passkeys', 'damaged', { id: 'no passkey' });
  });
  const done = await post(again, 'reset', { token: secretOf(letter), password: next });
  t.match(done, { status: 200, text: /Passkeys and API tokens are as they were/ });
  const [told] = await letters(changed, 1);
  t.match(told?.text, /signed out everywhere[^]*Passkeys and API tokens are as they were/);
  t.match(warnings.join(''), /STORE_CORRUPT[^]*could not be read/);
  const web = new WebClient(again.url);
  const asked = await web.follow(await web.get('/account'));
  const answer = await web.post(asked.url, { email: 'ada@example.com', password: next });
  t.equal(answer.status, 303, 'the password is the new one');
});

t.test('links end; who asks too often gets no more of them, and nobody is told', async (t) => {
  const { plane, clock, ask, letters } = await startLab(t);
  const { id } = await addPerson(plane, { role: 'viewer' });
  await letters(confirm, 1);
  for (let at = 0; at < 5; at++) t.equal((await ask('ada@example.com', `203.0.113.${at}`)).status, 200);
  // Letters are written in the order in which they are asked for: behind these there is none of the five.
  await addPerson(plane, { email: 'bob@example.com', name: 'Bob' });
  await letters(confirm, 2);
  const sent = await letters(reset, 3);
  t.equal(sent.length, 3);
  clock.jumpWall(31 * 60_000);
  const late = await post(plane, 'reset', { token: secretOf(sent[2]), password: next });
  t.match(late, { status: 410, text: /too old/ });
  clock.jumpWall(-31 * 60_000);
  for (const token of ['', 'x', 'x'.repeat(24), 'x'.repeat(60_000)])
    t.match(await post(plane, 'reset', { token, password: next }), { status: 410 }, token.slice(0, 30));
  await plane.call(`PATCH /v1/accounts/${id}`, { body: { disabled: true } });
  t.match(await post(plane, 'reset', { token: secretOf(sent[1]), password: next }), { status: 410 });
  await plane.call(`PATCH /v1/accounts/${id}`, { body: { disabled: false } });
  t.match(await post(plane, 'reset', { token: secretOf(sent[1]), password: next }), { status: 200 });

  const statuses: number[] = [];
  for (let at = 0; at < 21; at++)
    statuses.push((await ask(`a${at}@example.com`, `2001:db8::${at.toString(16)}`)).status);
  t.strictSame(statuses, [...statuses.slice(0, 20).map(() => 200), 429], 'a network, whomever it names');
  t.match(await ask('ada@example.com', '2001:db8::1'), {
    headers: { 'retry-after': /^\d+$/ },
    text: /too many letters/,
  });
  const { text } = await plane.call('GET /v1/audit');
  t.notMatch(text, '203.0.113', 'of viewers no addresses are kept');
});

t.test('an address is confirmed by the button behind its link, once', async (t) => {
  const { plane, clock, letters } = await startLab(t);
  const { id } = await addPerson(plane);
  const web = new WebClient(plane.url);
  const page = await signIn(web, await web.get('/account'));
  t.match(page.text, /Nobody has confirmed yet/);
  const [first] = await letters(confirm, 1);
  const csrf = /name="csrf" value="([\w-]+)"/.exec(page.text)?.[1] ?? '';
  t.match(await web.post('/account/confirm-letter', {}), { status: 403 });
  t.match(await web.post('/account/confirm-letter', { csrf }), { text: /on its way/ });
  const [, second] = await letters(confirm, 2);
  t.match(await web.get(linkOf(second!)), { status: 200, text: /Is this your address/ });
  t.equal((await plane.call(`GET /v1/accounts/${id}`)).as(AccountView).emailConfirmedAtMs, undefined);
  t.match(await post(plane, 'reset', { token: secretOf(second), password: next }), { status: 410 });
  t.match(await post(plane, 'confirm', { token: secretOf(second) }), { status: 200, text: /confirmed/ });
  const account = (await plane.call(`GET /v1/accounts/${id}`)).as(AccountView);
  t.equal(account.emailConfirmedAtMs, clock.nowMs());
  for (const letter of [first, second])
    t.match(await post(plane, 'confirm', { token: secretOf(letter) }), { status: 410 });
  t.notMatch((await web.get('/account')).text, /Nobody has confirmed yet/);
  t.match(await web.post('/account/confirm-letter', { csrf }), { text: /on its way/ });
  const { entries } = (await plane.call(`GET /v1/audit?account=${id}&action=confirm`)).as(AuditPage);
  t.match(entries[0], { action: 'confirm by letter', outcome: 'done' });
});

t.test('a new password is no way around codes of an authenticator', async (t) => {
  const { plane, ask, letters } = await startLab(t);
  await addPerson(plane, { role: 'admin' });
  await ask('ada@example.com');
  const [letter] = await letters(reset, 1);
  t.match(await post(plane, 'reset', { token: secretOf(letter), password: next }), { status: 200 });
  const web = new WebClient(plane.url);
  const page = await signIn(web, await web.get('/account'), { password: next });
  t.match(page.text, /Your role may do nothing until codes are asked for/);
});

t.test('the mail server is away: the answer is the same, the letter comes later', async (t) => {
  const lab = await startLab(t);
  const { plane, clock, server, ask, warnings } = lab;
  await addPerson(plane);
  await lab.letters(confirm, 1);
  await server.stop();
  t.match(await ask('ada@example.com'), { status: 200, text: /on its way/ });
  await until(() => warnings.join(''), (text) => text.includes('a letter has to wait')); // prettier-ignore
  const back = await startSmtpServer(t, {}, server.port);
  await until(() => clock.sleeping(), (count) => count > 0); // prettier-ignore
  await clock.advance(30_000);
  await until(() => back.letters.length, (count) => count === 1); // prettier-ignore
  t.match(back.letters[0]?.data, reset);
  t.notMatch(warnings.join(''), 'ada@example.com');
});

t.test('the mail server refuses for good, or is silent: nobody waits for it', async (t) => {
  let refusal: string | undefined = '550 5.1.1 <ada@example.com> unknown';
  const { plane, server, ask, warnings } = await startLab(t, {
    answer: (command) => (command === 'RCPT' ? refusal : undefined),
  });
  await addPerson(plane);
  await until(() => warnings.join(''), (text) => text.includes('a letter was given up')); // prettier-ignore
  t.match(warnings.join(''), 'MAIL_REFUSED');
  t.notMatch(warnings.join(''), 'ada@example.com');
  refusal = 'silence';
  const before = server.connections();
  t.match(await ask('ada@example.com'), { status: 200, text: /on its way/ });
  await until(server.connections, (count) => count > before);
  await plane.stop();
  t.strictSame(server.letters, []);
  t.pass('and the process stops meanwhile');
});

t.test('a server needs a sender; without one letters are files', async (t) => {
  await t.rejects(startPlane(t, { flags: ['--mail-url', 'smtp://mail.example'] }), {
    code: 'CONFIG_INVALID',
    message: /--mail-from/,
  });
  await t.rejects(startPlane(t, { flags: ['--mail-url', 'ftp://mail.example', '--mail-from', 'a@b'] }), {
    code: 'CONFIG_INVALID',
  });
});
