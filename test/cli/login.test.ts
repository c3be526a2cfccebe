import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text as textOf } from 'node:stream/consumers';

import t from 'tap';

import { startPlane, temporaryDir } from '../control-plane/support/control-plane.ts';
import { addPerson, signIn } from '../control-plane/support/sign-in.ts';
import { WebClient } from '../control-plane/support/web-client.ts';

const bin = new URL('../../cli/bin.ts', import.meta.url).pathname;

t.test('login by a code in a browser, whoami, logout', async (t) => {
  const plane = await startPlane(t);
  await addPerson(plane);
  const home = await temporaryDir(t);
  const { NEARCAST_TOKEN_FILE: _none, XDG_CONFIG_HOME: _other, ...rest } = process.env;
  const env = { ...rest, HOME: home, NEARCAST_SERVER: plane.url };
  const start = (...argv: string[]) =>
    spawn(process.execPath, [bin, ...argv], { env, cwd: home, stdio: ['ignore', 'pipe', 'pipe'] });
  const run = async (...argv: string[]) => {
    const child = start(...argv);
    const [stdout, stderr, [code]] = await Promise.all([
      textOf(child.stdout),
      textOf(child.stderr),
      once(child, 'close') as Promise<[number | null]>,
    ]);
    return { stdout, stderr, code };
  };

  t.match(await run('whoami'), { code: 77, stderr: /nearcast login/ });
  const login = start('login');
  const ended = once(login, 'close') as Promise<[number | null]>;
  const said = textOf(login.stdout);
  let link = '';
  for await (const line of createInterface({ input: login.stderr })) {
    link = /(http\S+user_code=\S+)/.exec(line)?.[1] ?? '';
    if (link !== '') break;
  }
  const web = new WebClient(plane.url);
  const form = await web.get(link);
  const field = (page: string, name: string) =>
    new RegExp(`name="${name}"\\s+value="([^"]+)"`).exec(page)?.[1] ?? '';
  const code = {
    xsrf: field(form.text, 'xsrf'),
    user_code: /value="(\w{4}-\w{4})"/.exec(form.text)?.[1] ?? '',
  };
  t.match((await web.post('/oauth/device', code)).text, /Nearcast on the command line/);
  const done = await signIn(web, await web.post('/oauth/device', { ...code, confirm: 'yes' }));
  t.match(done.text, /Your device is signed in/);
  t.equal((await ended)[0], 0);
  t.match(await said, /You are signed in/);

  const file = join(home, '.config', 'nearcast', 'credentials.json');
  t.equal((await stat(file)).mode & 0o777, 0o600);
  t.match(await run('whoami'), { code: 0, stdout: /ada@example\.com, operator, scopes: read write/ });
  t.match(await run('node', 'list'), { code: 0 });
  t.match(await run('session', 'list'), { code: 0, stdout: /Nearcast on the command line[^]*read write/ });
  t.match(await run('client', 'list'), { code: 77, stderr: /FORBIDDEN/ });
  t.match(await run('account', 'list'), { code: 77, stderr: /FORBIDDEN/ }, 'an operator is no admin');
  const held = await readFile(file, 'utf8');
  t.match(await run('logout'), { code: 0, stdout: /signed out/ });
  const { accessToken } = Object.values(JSON.parse(held) as object)[0] as { accessToken: string };
  t.equal(
    (await plane.call('GET /v1/me', { token: accessToken })).status,
    401,
    'over at the control plane too',
  );
  t.match(await run('logout'), { stdout: /not signed in/ });
});
