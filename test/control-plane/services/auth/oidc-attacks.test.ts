import { readFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import t from 'tap';
import { hashSecret } from '../../../../common/runtime/keys.ts';
import { startPlane } from '../../support/control-plane.ts';
import { addClient, addPerson, password, signIn } from '../../support/sign-in.ts';
import { WebClient, type WebAnswer } from '../../support/web-client.ts';

const redirectUri = 'http://127.0.0.1:9/callback';

function authorizeUrl(clientId: string, change: Record<string, string | undefined> = {}): string {
  const query = {
    ...{ client_id: clientId, response_type: 'code', redirect_uri: redirectUri, scope: 'openid read' },
    ...{ code_challenge: hashSecret('verifier'), code_challenge_method: 'S256', state: 's', ...change },
  };
  const given = Object.entries<string | undefined>(query).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return `/oauth/authorize?${new URLSearchParams(given).toString()}`;
}

t.test('only codes with S256: no implicit, no password, no challenge that is none', async (t) => {
  const plane = await startPlane(t);
  await addPerson(plane);
  const { id } = await addClient(plane);
  const web = new WebClient(plane.url);
  const refused: [Record<string, string | undefined>, RegExp][] = [
    [{ code_challenge: undefined, code_challenge_method: undefined }, /invalid_request/],
    [{ code_challenge: undefined }, /invalid_request/],
    [{ code_challenge_method: 'plain' }, /invalid_request/],
    [{ code_challenge: 'short' }, /invalid_request/],
    [{ response_type: 'token' }, /unsupported_response_type|unauthorized_client/],
    [{ response_type: 'id_token', nonce: 'n' }, /unsupported_response_type|unauthorized_client/],
    [{ response_type: 'code id_token', nonce: 'n' }, /unsupported_response_type|unauthorized_client/],
    [{ resource: 'urn:somebody:else' }, /invalid_target/],
  ];
  for (const [change, error] of refused) {
    const answer = await web.get(authorizeUrl(id, change));
    t.match(answer.location ?? answer.text, error, JSON.stringify(change));
    t.notMatch(answer.location ?? '', /code=|access_token=|id_token=/);
  }
  const grants = [
    'password',
    'client_credentials',
    'implicit',
    'urn:ietf:params:oauth:grant-type:jwt-bearer',
    '__proto__',
    '',
  ];
  for (const grant of grants) {
    const fields = { grant_type: grant, client_id: id, username: 'ada@example.com', password };
    const answer = await web.post('/oauth/token', fields, 'application/json');
    t.match(
      answer,
      { status: 400, text: /unsupported_grant_type|invalid_request|unauthorized_client/ },
      grant,
    );
  }
  const forms = ['client_id=a&client_id=b', '%', '&&&', 'a'.repeat(60_000), `x=${'a&'.repeat(20_000)}`];
  for (const body of forms) {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const { status } = await plane.call('POST /oauth/token', { token: '', body, headers });
    t.ok(status >= 400 && status < 500, `${body.slice(0, 20)} answers ${String(status)}`);
  }
  t.equal((await plane.call('POST /oauth/token', { token: '', body: {} })).status, 415);
});

t.test('nobody is sent anywhere but where the program said, exactly', async (t) => {
  const plane = await startPlane(t);
  await addPerson(plane);
  const app = 'com.example.app:/callback';
  const { id } = await addClient(plane, { redirectUris: ['https://app.example/cb', app] });
  const evil = [
    ...[
      'https://evil.example/cb',
      'https://app.example/cb/',
      'https://app.example/cb?x=1',
      'https://app.example/cb#x',
    ],
    ...[
      'https://app.example.evil.example/cb',
      'https://app.example@evil.example/cb',
      '//evil.example',
      '/account',
    ],
    ...[
      'https://app.example/../cb',
      'https://app.example/%2e%2e/cb',
      'HTTPS://APP.EXAMPLE/cb',
      'http://app.example/cb',
    ],
    ...[
      'https://app.example:443/cb',
      'https://app.example\\@evil.example/cb',
      'javascript:alert(1)',
      'data:text/html,x',
    ],
    ...[
      'https://app.example/cb\r\nlocation: https://evil.example',
      'com.example.app:/callback2',
      'http://127.0.0.1/cb',
      '',
    ],
  ];
  for (const uri of evil) {
    const answer = await new WebClient(plane.url).get(authorizeUrl(id, { redirect_uri: uri }));
    t.equal(answer.location, undefined, uri);
    t.ok(answer.status >= 400 && answer.status < 500, `${uri} answers ${String(answer.status)}`);
  }
  t.match(
    (await new WebClient(plane.url).get(authorizeUrl(id, { redirect_uri: app }))).location,
    /\/oauth\/sign-in\//,
  );

  const unfit = [
    ...[
      'http://app.example/cb',
      'javascript:alert(1)',
      'data:text/html,x',
      'file:///etc/passwd',
      'myapp:/cb',
      'vbscript:x',
    ],
    ...[
      'https://app.example/cb#x',
      'https://a@app.example/',
      'https://*.example/cb',
      'https://app.example/a/../b',
      '/cb',
      '',
    ],
    ...[
      'https://app.example/%2e%2e/x',
      'https:app.example',
      'https://app.example\\cb',
      'http://localhost/cb',
      'https://exämple.com/',
    ],
    ...[
      'HTTPS://app.example/cb',
      'blob:https://app.example/x',
      'https://app.example/ cb',
      'ws://app.example/',
      'https://@app.example/',
    ],
  ];
  for (const uri of unfit) {
    const body = { name: 'x', redirectUris: [uri] };
    t.match(await plane.call('POST /v1/oauth-clients', { body }), { status: 400 }, uri);
  }
  t.match(await plane.call('POST /v1/oauth-clients', { body: { name: 'x' } }), { status: 400 });
});

t.test('cookies, forms and frames: nothing can be ridden on, nothing planted stays', async (t) => {
  const plane = await startPlane(t, { flags: ['--public-url', 'https://nearcast.example'] });
  await addPerson(plane);
  const web = new WebClient(plane.url);
  const local = (answer: WebAnswer) => ({
    ...answer,
    location: answer.location?.replace('https://nearcast.example', plane.url),
  });
  const follow = async (answer: WebAnswer) => {
    let at = local(answer);
    while (at.location !== undefined) at = local(await web.get(at.location));
    return at;
  };
  web.plant({
    name: '__Host-nearcast-session',
    value: 'planted-by-somebody-else-000000000000000000',
    path: '/',
  });
  const asked = await follow(await web.get('/account'));
  t.match(asked.text, 'name="password"');
  const signedIn = await web.post(asked.url, { email: 'ada@example.com', password });
  const resumed = local(signedIn);
  const answers = [asked, signedIn, await web.get(resumed.location ?? '')];
  const account = await follow(answers[2]!);
  t.match(account.text, /Where you are signed in/);
  for (const line of [...answers, account].flatMap(({ setCookies }) => setCookies))
    t.match(
      line,
      /^__(Host|Secure)-nearcast-[^;]+;(?=.*secure)(?=.*httponly)(?=.*samesite=lax)/i,
      line.slice(0, 40),
    );
  const session = web.cookies.get('__Host-nearcast-session');
  t.not(session, 'planted-by-somebody-else-000000000000000000');
  for (const { headers, url } of [asked, account]) {
    t.match(headers['content-security-policy'], /default-src 'none'.*frame-ancestors 'none'/, url);
    t.equal(headers['x-frame-options'], 'DENY');
    t.equal(headers['cache-control'], 'no-store');
    t.equal(headers['access-control-allow-credentials'], undefined);
  }
  const scripts = [...(asked.text + account.text).matchAll(/<script[^]*?<\/script>/g)].map(([one]) => one);
  const own = '<script src="/oauth/passkey.js" defer></script>';
  t.strictSame(scripts, [own, own], 'no script but that of passkeys, which nobody needs');
  t.notMatch(asked.text + account.text, /javascript:|onclick|onfocus/i);

  const csrf = /name="csrf" value="([\w-]+)"/.exec(account.text)?.[1] ?? '';
  for (const fields of [{}, { csrf: 'x' }, { csrf: '' }])
    t.match(
      await web.post('/account/password', {
        ...fields,
        current: password,
        password: 'another good password',
      }),
      {
        status: 403,
      },
    );
  t.match(
    await new WebClient(plane.url).post('/account/sign-out', { csrf }),
    { status: 403 },
    'without the cookie',
  );
  t.match(await new WebClient(plane.url).post(asked.url, { email: 'ada@example.com', password }), {
    status: 400,
  });
  t.match(
    await web.post('/account/password', { csrf, current: 'wrong', password: 'nine blue whales whistle' }),
    {
      text: /not right/,
    },
  );
  const changed = await web.post('/account/password', {
    csrf,
    current: password,
    password: 'nine blue whales whistle',
  });
  t.match(changed.text, /signed out everywhere else/);
  t.match(await web.get('/account'), { status: 200, text: /Where you are signed in/ }, 'but not here');
  const stored = await readFile(join(plane.dataDir, 'records', 'auth.db-wal'));
  t.notOk(stored.includes(session ?? '-'), 'a session is kept as a hash');
  await web.post('/account/sign-out', { csrf });
  t.match(local(await web.get('/account')).location, /sign-in/);
});

t.test('no page can be put into a frame of another site, nor run what was put into it', async (t) => {
  const plane = await startPlane(t);
  await addPerson(plane);
  const evil = '<img src=x onerror=alert(1)>';
  const { id } = await addClient(plane, { name: evil });
  const web = new WebClient(plane.url);
  const asked = await web.follow(await web.get(authorizeUrl(id)));
  const consent = await web.follow(await web.post(asked.url, { email: 'ada@example.com', password }));
  t.match(consent.text, 'Allow');
  const pages = [
    ...[asked, consent, await web.get('/oauth/device'), await web.get(`/oauth/device?user_code=${evil}`)],
    ...[
      await web.get('/oauth/sign-in/nobody'),
      await web.get('/oauth/authorize'),
      await new WebClient(plane.url).get('/account?error=x'),
    ],
    await web.post(asked.url, { email: `"${evil}`, password: 'x' }),
  ];
  for (const { url, headers, text } of pages) {
    t.match(
      headers['content-security-policy'],
      /default-src 'none'.*base-uri 'none'.*frame-ancestors 'none'/,
      url,
    );
    t.equal(headers['x-frame-options'], 'DENY', url);
    t.equal(headers['x-content-type-options'], 'nosniff', url);
    t.equal(headers['referrer-policy'], 'no-referrer', url);
    t.notOk(text.includes('<img'), `${url} shows text as text`);
  }
});

t.test('links are made of the public URL, whatever the caller says it is', async (t) => {
  const plane = await startPlane(t);
  const { id } = await addClient(plane);
  const { hostname, port } = new URL(plane.url);
  const ask = (method: string, path: string, body = ''): Promise<string> =>
    new Promise((resolve, reject) => {
      const headers = {
        ...{ host: 'evil.example', 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' },
        ...{ forwarded: 'host=evil.example', 'content-type': 'application/x-www-form-urlencoded' },
      };
      const call = httpRequest({ hostname, port, method, path, headers }, (reply) => {
        let text = '';
        reply.setEncoding('utf8').on('data', (part: string) => (text += part));
        reply.on('end', () => resolve(text + JSON.stringify(reply.headers)));
      });
      call.on('error', reject).end(body);
    });
  for (const [method, path, body] of [
    ['GET', '/.well-known/openid-configuration'],
    ['POST', '/oauth/device/code', `client_id=${id}&scope=openid`],
    ['GET', '/account'],
    ['GET', '/account/sign-in'],
    ['GET', authorizeUrl(id)],
  ] as const) {
    t.notMatch(await ask(method, path, body), 'evil.example', path);
  }
});

t.test('guessing is slowed down where it happens, and nobody else is locked out by it', async (t) => {
  const plane = await startPlane(t, { flags: ['--trusted-proxies', '127.0.0.1'] });
  await addPerson(plane);
  const { id } = await addClient(plane);
  const from = (address: string) => new WebClient(plane.url, { 'x-forwarded-for': address });
  const tryFrom = async (web: WebClient, guess: string, email = 'ada@example.com') => {
    const page = await web.follow(await web.get(authorizeUrl(id)));
    return web.post(page.url, { email, password: guess });
  };
  const known = from('198.51.100.7');
  t.equal((await tryFrom(known, password)).status, 303);
  const attacker = from('198.51.100.7');
  const page = await attacker.follow(await attacker.get(authorizeUrl(id)));
  const guesses: number[] = [];
  for (let guess = 0; guess < 8; guess++)
    guesses.push(
      (await attacker.post(page.url, { email: 'ada@example.com', password: `guess ${String(guess)}` }))
        .status,
    );
  t.match(guesses, [422, 422, 422, 422, 422]);
  t.equal(guesses.at(-1), 429);
  t.equal(
    (await attacker.post(page.url, { email: 'ada@example.com', password })).status,
    429,
    'the right one too',
  );
  t.equal((await tryFrom(from('203.0.113.9'), password)).status, 303, 'from elsewhere');
  t.equal((await tryFrom(from('2001:db8::1'), password)).status, 303);
  const again = await known.follow(await known.get(authorizeUrl(id, { prompt: 'login' })));
  const back = await known.post(again.url, { email: 'ada@example.com', password });
  t.equal(back.status, 303, 'a browser that she has signed in with, from the very same network');

  const unknown = await tryFrom(from('203.0.113.10'), password, 'nobody@example.com');
  const wrong = await tryFrom(from('203.0.113.11'), 'wrong');
  const plain = ({ text }: WebAnswer) => text.replaceAll(/sign-in\/[\w-]+|value="[^"]*"/g, '');
  t.equal(plain(unknown), plain(wrong), 'who has an account is not told');
  for (const email of ['', 'nobody', 'a\0b@example.com', `${'a'.repeat(60_000)}@example.com`])
    t.equal((await tryFrom(from('203.0.113.12'), password, email)).status, 422, email.slice(0, 20));
});

t.test('a session that is ended is over at once', async (t) => {
  const plane = await startPlane(t);
  const { id: account } = await addPerson(plane);
  const web = new WebClient(plane.url);
  await signIn(web, await web.get('/account'));
  const page = await web.get('/account');
  t.match(page.text, /Ada/);
  await plane.call(`PATCH /v1/accounts/${account}`, { body: { disabled: true } });
  t.match((await web.get('/account')).location, /sign-in/);
  await plane.call(`PATCH /v1/accounts/${account}`, { body: { disabled: false } });
  const { sessions } = (await plane.call(`GET /v1/sessions?account=${account}`)).json as {
    sessions: { id: string }[];
  };
  t.equal(sessions.length, 1);
  t.equal((await plane.call(`DELETE /v1/sessions/${sessions[0]?.id ?? ''}`)).status, 204);
  t.match((await web.get('/account')).location, /sign-in/);
  await signIn(web, await web.get('/account'));
  t.match((await web.get('/account')).text, /Ada/);
  await plane.call(`PATCH /v1/accounts/${account}`, { body: { password: 'seven owls at midday' } });
  t.match((await web.get('/account')).location, /sign-in/, 'a new password ends the sessions of the old');
  t.match(await plane.call(`DELETE /v1/sessions/${sessions[0]?.id ?? ''}`), { status: 404 });
});
