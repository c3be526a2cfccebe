import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import decodeQR from 'qr/decode.js';
import t from 'tap';
import { AuditPage } from '../../../../common/contract/audit.ts';
import { createManualClock } from '../../../../common/runtime/manual-clock.ts';
import { fromBase32, totpCode, totpStep } from '../../../../control-plane/services/auth/core/totp.ts';
import { startPlane, temporaryDir, type TestPlane } from '../../support/control-plane.ts';
import { addClient, addPerson, password, signIn } from '../../support/sign-in.ts';
import { WebClient, type WebAnswer } from '../../support/web-client.ts';
import { nearcastCli } from '../../../support/nearcast-cli.ts';

const csrfOf = ({ text }: WebAnswer): string => /name="csrf" value="([\w-]+)"/.exec(text)?.[1] ?? '';
const proofOf = ({ text }: WebAnswer): string => /name="proof" value="([^"]+)"/.exec(text)?.[1] ?? '';

/** An authenticator that has the key of a page. */
function authenticatorOf(plane: TestPlane, { text }: WebAnswer): (steps?: number) => string {
  const [, shown = ''] = /id="totp-key">([A-Z2-7 ]+)</.exec(text) ?? [];
  const key = fromBase32(shown.replaceAll(' ', ''));
  return (steps = 0) => totpCode(key, totpStep(plane.clock.nowMs()) + steps);
}

/** Signs in on the account page and sets codes up. */
async function setUp(
  plane: TestPlane,
): Promise<{ web: WebClient; code: (steps?: number) => string; recovery: string[] }> {
  const web = new WebClient(plane.url);
  const page = await signIn(web, await web.get('/account'));
  const begun = await web.post('/account/totp', { csrf: csrfOf(page), current: password });
  const code = authenticatorOf(plane, begun);
  const done = await web.post('/account/totp/confirm', { csrf: csrfOf(page), code: code() });
  const recovery = [...done.text.matchAll(/<code>([A-Z2-7-]+)<\/code>/g)].map(([, one = '']) => one);
  return { web, code, recovery };
}

/** What a camera reads of the picture on a page: its modules drawn by what their path says, eight dots each. */
function readQrCode(text: string): string {
  const [, side = '0'] = /viewBox="0 0 (\d+) \1"/.exec(text) ?? [];
  const dots = 8;
  const size = Number(side) * dots;
  const data = new Uint8Array(size * size * 4).fill(255);
  const [, path = ''] = /fill="#000" d="([^"]+)"/.exec(text) ?? [];
  for (const [, x, y] of path.matchAll(/M(\d+) (\d+)h1v1h-1z/g))
    for (let row = 0; row < dots; row++) {
      const from = ((Number(y) * dots + row) * size + Number(x) * dots) * 4;
      for (let at = from; at < from + dots * 4; at++) data[at] = at % 4 === 3 ? 255 : 0;
    }
  return decodeQR({ width: size, height: size, data });
}

/** Types the password in a browser that is new. @returns the page that asks for the code, or whatever comes. */
async function typePassword(plane: TestPlane, at = '/account'): Promise<{ web: WebClient; page: WebAnswer }> {
  const web = new WebClient(plane.url);
  const asked = await web.follow(await web.get(at));
  return { web, page: await web.post(asked.url, { email: 'ada@example.com', password }) };
}

t.test('codes are asked for once one was confirmed, and each is good once', async (t) => {
  const clock = createManualClock({ nowMs: Date.now() });
  const plane = await startPlane(t, { clock });
  const { id } = await addPerson(plane);
  const web = new WebClient(plane.url);
  const page = await signIn(web, await web.get('/account'));
  const csrf = csrfOf(page);
  t.match(
    await web.post('/account/totp/confirm', { csrf, code: '000000' }),
    { status: 422, text: /role="alert" id="fault">The code is not right/ },
    'said though there is no field for it',
  );
  t.match(await web.post('/account/totp', { csrf, current: 'wrong' }), { status: 422, text: /not right/ });
  const begun = await web.post('/account/totp', { csrf, current: password });
  t.match(begun.text, /href="otpauth:\/\/totp\/Nearcast:ada%40example\.com\?secret=[A-Z2-7]{32}&amp;/);
  t.equal(readQrCode(begun.text), /href="(otpauth:[^"]+)"/.exec(begun.text)?.[1]?.replaceAll('&amp;', '&'));
  t.match(
    (await typePassword(plane)).page,
    { status: 303 },
    'nothing is asked for before a code was confirmed',
  );
  const code = authenticatorOf(plane, begun);
  t.match(await web.post('/account/totp/confirm', { csrf, code: '000000' }), { text: /code is not right/ });
  const done = await web.post('/account/totp/confirm', { csrf, code: code() });
  const recovery = [...done.text.matchAll(/<code>([A-Z2-7-]+)<\/code>/g)].map(([, one = '']) => one);
  t.equal(new Set(recovery).size, 10);
  t.notMatch((await web.get('/account')).text, recovery[0] ?? '-', 'they are shown once');
  t.match((await plane.call(`GET /v1/accounts/${id}`)).json, { totp: true });
  t.notMatch((await plane.call(`GET /v1/accounts/${id}`)).text, /recovery|"key"/);

  const second = await typePassword(plane);
  t.match(second.page, { status: 200, text: /Your code/ });
  t.match((await second.web.get('/account')).location, /sign-in/, 'the password alone lets nobody in');
  const typed = (given: string, proof = proofOf(second.page)) =>
    second.web.post(`${second.page.url}/code`, { proof, code: given });
  t.match(await typed(code()), { status: 422, text: /used already/ }, 'the code of the confirmation');
  t.match(await typed(code(1), 'usr_x.99999999999999.aaaa'), { status: 400 }, 'a proof that is not ours');
  await clock.advance(30_000);
  const good = await typed(` ${code().slice(0, 3)} ${code().slice(3)} `);
  t.match((await second.web.follow(good)).text, /Where you are signed in/);

  const third = await typePassword(plane);
  const again = (given: string) =>
    third.web.post(`${third.page.url}/code`, { proof: proofOf(third.page), code: given });
  t.match(await again(code()), { status: 422 }, 'seen over a shoulder');
  t.equal((await again(recovery[0]?.toLowerCase() ?? '')).status, 303);
  const fourth = await typePassword(plane);
  const proof = proofOf(fourth.page);
  const spent = await fourth.web.post(`${fourth.page.url}/code`, { proof, code: recovery[0] ?? '' });
  t.match(spent, { status: 422 }, 'a recovery code is good once');
  await clock.advance(300_000);
  t.match(
    await fourth.web.post(`${fourth.page.url}/code`, { proof, code: code() }),
    { status: 400 },
    'too late',
  );
  await plane.stop();
  const stored = await readFile(join(plane.dataDir, 'records', 'auth.db'), 'latin1');
  t.notOk(stored.includes(recovery[1]?.replaceAll('-', '') ?? '-'), 'recovery codes are kept as hashes');
});

t.test('a key that nobody confirmed in time is none, and ends nothing', async (t) => {
  const clock = createManualClock({ nowMs: Date.now() });
  const plane = await startPlane(t, { clock });
  await addPerson(plane);
  const web = new WebClient(plane.url);
  const csrf = csrfOf(await signIn(web, await web.get('/account')));
  const begun = await web.post('/account/totp', { csrf, current: password });
  const code = authenticatorOf(plane, begun);
  const early = await web.post('/account/totp/remove', { csrf, code: code() });
  t.match(early, { status: 422, text: /id="totp-key"/ }, 'it is not in force, so there is nothing to end');
  await clock.advance(10 * 60_000);
  const late = await web.post('/account/totp/confirm', { csrf, code: code() });
  t.match(late, { status: 422, text: /The code is not right/ });
  t.notMatch(late.text, /totp-key/, 'another is asked for');
});

t.test('a proof of the password is of one sign-in in one browser', async (t) => {
  const plane = await startPlane(t);
  await addPerson(plane);
  const { code } = await setUp(plane);
  const mine = await typePassword(plane);
  const other = new WebClient(plane.url);
  const asked = await other.follow(await other.get('/account'));
  const stolen = { proof: proofOf(mine.page), code: code(1) };
  t.match(await other.post(`${asked.url}/code`, stolen), { status: 400 });
  t.match(await other.post(`${mine.page.url}/code`, stolen), { status: 400 });
  t.match(await other.post(`${asked.url}/code`, { code: code(1) }), { status: 400 });
  t.equal((await mine.web.post(`${mine.page.url}/code`, stolen)).status, 303);
});

t.test('a proof is of the password that there is', async (t) => {
  const plane = await startPlane(t);
  const { id } = await addPerson(plane);
  const { code } = await setUp(plane);
  const { web, page } = await typePassword(plane);
  const body = { password: 'nine blue whales whistle' };
  t.match(await plane.call(`PATCH /v1/accounts/${id}`, { body }), { status: 200 });
  const typed = await web.post(`${page.url}/code`, { proof: proofOf(page), code: code(1) });
  t.match(typed, { status: 400, text: /changed since/ });
});

t.test('guessing codes is slowed down, wherever it comes from', async (t) => {
  // It stands still: after five failures the next try is a second later.
  const clock = createManualClock({ nowMs: Date.now() });
  const plane = await startPlane(t, { clock, flags: ['--trusted-proxies', '127.0.0.1'] });
  await addPerson(plane);
  const { code } = await setUp(plane);
  const statuses: number[] = [];
  for (let guess = 0; guess < 6; guess++) {
    const web = new WebClient(plane.url, { 'x-forwarded-for': `198.51.100.${String(guess)}` });
    const asked = await web.follow(await web.get('/account'));
    const page = await web.post(asked.url, { email: 'ada@example.com', password });
    const answer = await web.post(`${page.url}/code`, {
      proof: proofOf(page),
      code: `00000${String(guess)}`,
    });
    statuses.push(answer.status);
  }
  t.same(statuses.slice(0, 5), [422, 422, 422, 422, 422]);
  t.equal(statuses[5], 429);
  const { web, page } = await typePassword(plane);
  const answer = await web.post(`${page.url}/code`, { proof: proofOf(page), code: code(1) });
  t.equal(answer.status, 429, 'the right one too');
  const { entries } = (await plane.call('GET /v1/audit?action=sign-in%20code')).as(AuditPage);
  t.match(entries, [
    { code: 'RATE_LIMITED', count: 2 },
    { code: 'SECOND_FACTOR_FAILED', count: 5 },
  ]);
});

t.test('what a role needs: nothing goes without codes, and an admin helps who has lost them', async (t) => {
  const dataDir = await temporaryDir(t);
  const first = await startPlane(t, { dataDir });
  const { id } = await addPerson(first);
  const { id: client } = await addClient(first);
  await first.stop();
  const plane = await startPlane(t, { dataDir, flags: ['--auth-second-factor-roles', 'operator,admin'] });
  const authorize = `/oauth/authorize?${new URLSearchParams({
    ...{ client_id: client, response_type: 'code', scope: 'openid read', code_challenge_method: 'S256' },
    ...{ redirect_uri: 'http://127.0.0.1:9/callback', code_challenge: 'a'.repeat(43) },
  }).toString()}`;
  const early = new WebClient(plane.url);
  t.match(await signIn(early, await early.get(authorize)), { status: 403, text: /needs codes/ });
  t.match((await early.get('/account')).text, /Your role may do nothing/);
  const { web, code, recovery } = await setUp(plane);
  t.equal(recovery.length, 10);
  t.match(await signIn(web, await web.get(authorize)), { location: /callback\?code=/ });

  t.match(await nearcastCli(plane)('account', 'totp', 'reset', 'ada@example.com'), { code: 0 });
  t.match((await plane.call(`GET /v1/accounts/${id}`)).json, { totp: false });
  t.match(
    await signIn(web, await web.get(authorize)),
    { status: 403 },
    'what a role needs is asked for again',
  );
  const { entries } = (await plane.call(`GET /v1/audit?object=${id}`)).as(AuditPage);
  t.match(entries, [{ action: 'DELETE /v1/accounts/:id/totp', outcome: 'done', account: 'operator' }, {}]);
  t.match(await plane.call('DELETE /v1/accounts/usr_nobody00/totp'), { status: 404 });

  const once = await setUp(plane);
  const page = await once.web.get('/account');
  const removed = (given: string) =>
    once.web.post('/account/totp/remove', { csrf: csrfOf(page), code: given });
  t.match(await removed(code(1)), { text: /not right/ }, 'of the key that was before');
  t.match(await removed(once.code(1)), { text: /No code is asked for/ });
});
