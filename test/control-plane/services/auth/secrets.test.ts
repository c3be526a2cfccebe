import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import { AccessTokenReply, EnrolmentCodeReply } from '../../../../common/contract/credentials.ts';
import { ApiTokenReply } from '../../../../common/contract/accounts.ts';
import { mintDeliveryToken } from '../../../../common/core/tokens/delivery-token.ts';
import { parseEnrolmentCode } from '../../../../common/runtime/enrolment-code.ts';
import { hashSecret } from '../../../../common/runtime/keys.ts';
import { createLog } from '../../../../common/runtime/log.ts';
import { fromBase32, totpCode, totpStep } from '../../../../control-plane/services/auth/core/totp.ts';
import { linkOf, readLetter } from '../../../support/read-letter.ts';
import {
  enrolNode,
  startPlane,
  temporaryDir,
  tokenKey,
  type Answer,
  type TestPlane,
} from '../../support/control-plane.ts';
import { addClient, addPerson, password, signIn } from '../../support/sign-in.ts';
import { until } from '../../support/until.ts';
import { WebClient } from '../../support/web-client.ts';

const redirectUri = 'http://127.0.0.1:9/callback';

/** Everything that is secret, by what it is, and where each may not be. */
class Secrets {
  readonly #held = new Map<string, { value: string; onDisk: 'never' | 'allowed' }>();

  add(what: string, value: string | undefined, onDisk: 'never' | 'allowed' = 'never'): string {
    if (value === undefined || value.length < 8) throw new Error(`${what} is no secret: ${String(value)}`);
    this.#held.set(what, { value, onDisk });
    return value;
  }

  /** Which of them stand in a text, as they are or as they are written in a form, a URL or JSON. */
  foundIn(text: string, { onDisk = false } = {}): string[] {
    return [...this.#held]
      .filter(([, secret]) => !onDisk || secret.onDisk === 'never')
      .filter(([, { value }]) =>
        [value, encodeURIComponent(value), value.replaceAll(' ', '+')].some((form) => text.includes(form)),
      )
      .map(([what]) => what);
  }
}

/** Signs someone in by code, renews twice, and lets a program in by a device's code. */
async function everyFlow(plane: TestPlane, secrets: Secrets) {
  const { id } = await addClient(plane);
  const web = new WebClient(plane.url);
  const verifier = secrets.add('PKCE verifier', 'a-verifier-that-nobody-guesses-0123456789abcdef');
  const query = new URLSearchParams({
    ...{
      client_id: id,
      response_type: 'code',
      redirect_uri: redirectUri,
      scope: 'openid offline_access read',
    },
    ...{ code_challenge: hashSecret(verifier), code_challenge_method: 'S256', prompt: 'consent' },
  });
  const begun = await web.follow(await web.get(`/oauth/authorize?${query.toString()}`));
  const wrong = secrets.add('wrong password', 'this is not the pass phrase of ada');
  await web.post(begun.url, { email: 'ada@example.com', password: wrong });
  const done = await signIn(web, begun);
  const code = secrets.add('authorization code', new URL(done.location ?? '').searchParams.get('code') ?? '');
  for (const [name, value] of web.cookies) if (name.endsWith('session')) secrets.add(`cookie ${name}`, value);

  const ask = async (fields: Record<string, string>) => {
    const answer = await web.post('/oauth/token', { client_id: id, ...fields }, 'application/json');
    return JSON.parse(answer.text) as Record<string, string | undefined>;
  };
  const exchange = {
    grant_type: 'authorization_code',
    code,
    redirect_uri: redirectUri,
    code_verifier: verifier,
  };
  let tokens = await ask(exchange);
  for (const round of ['first', 'second', 'third']) {
    secrets.add(`${round} access token`, tokens['access_token']);
    if (round !== 'third') secrets.add(`${round} ID token`, tokens['id_token']);
    const refresh = secrets.add(`${round} refresh token`, tokens['refresh_token']);
    if (round !== 'third') tokens = await ask({ grant_type: 'refresh_token', refresh_token: refresh });
  }
  const device = JSON.parse(
    (await web.post('/oauth/device/code', { client_id: id, scope: 'openid read' }, 'application/json')).text,
  ) as Record<string, string>;
  // The provider looks a device up by what is typed in and changes it under its id, which has to stand there for that.
  secrets.add('device code', device['device_code'], 'allowed');
  secrets.add('user code', device['user_code'], 'allowed');
  return { web, ask, code, exchange, id, access: tokens['access_token'] ?? '' };
}

/** Sets codes of an authenticator up, answers for a passkey, and follows the link of a letter, each also in a way that fails. */
async function everyProof(
  web: WebClient,
  { csrf, mailDir, secrets }: { csrf: string; mailDir: string; secrets: Secrets },
): Promise<void> {
  const begun = await web.post('/account/totp', { csrf, current: password });
  const shown = /id="totp-key">([A-Z2-7 ]+)</.exec(begun.text)?.[1] ?? '';
  secrets.add('key as it is shown', shown, 'allowed');
  // What codes are made of cannot be kept as a hash.
  const key = secrets.add('key of an authenticator', shown.replaceAll(' ', ''), 'allowed');
  await web.post('/account/totp/confirm', { csrf, code: key });
  const code = totpCode(fromBase32(key), totpStep(Date.now()));
  const done = await web.post('/account/totp/confirm', { csrf, code });
  const recovery = [...done.text.matchAll(/<code>([A-Z2-7-]{19})<\/code>/g)].map(([, one = '']) => one);
  for (const [at, one] of recovery.entries()) {
    secrets.add(`recovery code ${at}`, one);
    secrets.add(`recovery code ${at}, its letters`, one.replaceAll('-', ''));
  }
  await web.post('/account/totp/remove', { csrf, code: `${recovery[0] ?? ''}A` });
  const answer = secrets.add('answer of a passkey', 'c2lnbmF0dXJlLW9mLWEtZGV2aWNl');
  const credential = JSON.stringify({ id: answer, response: { signature: answer, clientDataJSON: answer } });
  for (const sent of [credential, credential.slice(0, -3)])
    await web.post('/account/passkeys', { csrf, current: password, name: 'phone', credential: sent });
  await web.post('/account/forgotten', { email: 'ada@example.com' });
  const letters = async () =>
    Promise.all((await readdir(mailDir)).map((name) => readFile(join(mailDir, name), 'utf8')));
  const isWhole = (all: string[]) => all.filter((one) => one.includes('/account/reset')).length > 0;
  for (const one of await until(letters, isWhole)) {
    const link = linkOf(readLetter(one));
    const secret = secrets.add(`link ${link.slice(0, 40)}`, new URL(link).searchParams.get('token') ?? '');
    await web.get(link);
    await web.get(`/account/nothing?token=${secret}`);
    await web.post('/account/reset', { token: secret, password: 'password1234' });
    await web.post('/account/reset', { token: `${secret}x`, password });
  }
}

t.test(
  'no secret reaches a log, a metric, an error or a file that should have its hash',
  { timeout: 60_000 },
  async (t) => {
    const lines: string[] = [];
    const log = createLog({
      name: 'control-plane',
      level: 'trace',
      format: 'json',
      write: (line) => void lines.push(line),
    });
    const mailDir = await temporaryDir(t);
    const plane = await startPlane(t, { log, flags: ['--mail-url', pathToFileURL(mailDir).href] });
    const secrets = new Secrets();
    const errors: string[] = [];
    const failing = async (answer: Promise<Answer>): Promise<void> => {
      const { status, text } = await answer;
      t.ok(status >= 400, text);
      errors.push(text);
    };

    secrets.add('password', password);
    secrets.add('first admin code', plane.firstAdminCode);
    secrets.add('operator token', plane.operator, 'allowed');
    await addPerson(plane);
    const { web, ask, exchange, access } = await everyFlow(plane, secrets);
    const order = { name: 'nightly', scopes: ['read'], ttlS: 3600 };
    const apiToken = (await plane.call('POST /v1/api-tokens', { body: order })).as(ApiTokenReply).token;
    secrets.add('API token', apiToken.slice('ncat_0123456789abcdef_'.length));
    const asked = { role: 'viewer', sub: 'x', ttlS: 600 };
    const viewer = (await plane.call('POST /v1/access-tokens', { body: asked })).as(AccessTokenReply).token;
    secrets.add('access token', viewer);
    const codeBody = { role: 'appliance', name: 'box-9' };
    const made = await plane.call('POST /v1/enrolment-codes', { body: codeBody });
    const enrolment = made.as(EnrolmentCodeReply).code;
    const { secret: enrolmentSecret } = parseEnrolmentCode(enrolment);
    secrets.add('enrolment secret', enrolmentSecret);
    const box = await enrolNode(plane, 'box-1');
    const proof = secrets.add('proof', await box.proof('GET /v1/revocations'));
    const { kid, privateKey } = await tokenKey(plane);
    const issuedAtS = Math.floor(Date.now() / 1000);
    const claims = {
      scope: 'play' as const,
      session: 'a'.repeat(32),
      issuedAtS,
      expiresAtS: issuedAtS + 600,
    };
    const delivery = secrets.add(
      'delivery token',
      mintDeliveryToken({ ...claims, bundle: 'b'.repeat(64) }, { kid, key: privateKey }),
    );
    const changed = secrets.add('new password', 'eleven brown kettles hum');
    const account = await web.get('/account');
    const csrf = /name="csrf" value="([\w-]+)"/.exec(account.text)?.[1] ?? '';
    secrets.add('form seal', csrf);
    await web.post('/account/password', { csrf, password, next: changed, current: password, new: changed });
    await everyProof(web, { csrf, mailDir, secrets });

    // Good ones where they do not belong, bad ones that look alike, and bodies that cannot be read.
    const everywhere = [viewer, access, apiToken, proof, delivery, plane.operator, enrolment];
    for (const secret of everywhere) {
      const quoted = encodeURIComponent(secret);
      await failing(plane.call(`GET /v1/${quoted}`));
      await failing(plane.call(`GET /v1/nodes/${quoted}`));
      // A query that the route does not look at.
      await plane.call(`GET /v1/nodes?token=${quoted}&access_token=${quoted}`);
      await failing(plane.call('GET /v1/nodes', { token: `${secret.slice(0, -3)}abc` }));
      await failing(
        plane.call('GET /v1/nodes', { token: '', headers: { authorization: `Token ${secret}` } }),
      );
      await failing(plane.call('POST /v1/titles', { body: `{"name":"x","token":"${secret}"` }));
      await failing(plane.call('POST /v1/enrol', { token: '', body: { secret, proof: secret } }));
      await failing(plane.call(`GET /v1/playback/${quoted}/master.m3u8`, { token: '' }));
    }
    await failing(plane.call('POST /v1/enrol', { token: '', body: { secret: enrolmentSecret } }));
    const weak = secrets.add('weak password', 'password1234');
    const person = { email: 'bob@example.com', name: 'Bob', role: 'viewer' };
    await failing(plane.call('POST /v1/accounts', { body: { ...person, password: weak } }));
    await failing(plane.call('POST /v1/accounts', { body: { ...person, password, more: 1 } }));
    await failing(
      plane.call('POST /v1/accounts/first', { token: '', body: { code: plane.firstAdminCode, ...person } }),
    );
    for (const fields of [
      exchange,
      { ...exchange, code_verifier: 'other' },
      { grant_type: 'refresh_token', refresh_token: 'x'.repeat(43) },
      { grant_type: 'password', username: 'ada@example.com', password },
    ])
      errors.push(JSON.stringify(await ask(fields)));

    const metrics = await plane.call('GET /metrics', { token: '' });
    t.equal(metrics.status, 200);
    t.strictSame(secrets.foundIn(metrics.text), [], 'metrics');
    t.strictSame(secrets.foundIn(errors.join('\n')), [], 'errors');
    await plane.stop();
    t.ok(lines.length > 3, 'there is a log');
    t.strictSame(secrets.foundIn(lines.join('')), [], 'log');
    for (const entry of await readdir(plane.dataDir, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      t.strictSame(secrets.foundIn(await readFile(path, 'latin1'), { onDisk: true }), [], path);
    }
    t.strictSame(secrets.foundIn(`x ${password} y`), ['password'], 'and it would be found');
  },
);
