import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import t from 'tap';

import { startPlane, temporaryDir } from '../control-plane/support/control-plane.ts';
import { nearcastCli } from '../support/nearcast-cli.ts';

t.test('people and tokens of machines from the command line', async (t) => {
  const plane = await startPlane(t);
  const dir = await temporaryDir(t);
  const passwordFile = join(dir, 'password');
  await writeFile(passwordFile, 'seven grey elephants knit\n');
  const nearcast = nearcastCli(plane);

  const { firstAdminCode = '' } = plane;
  const flags = ['--name', 'Root', '--password-file', passwordFile];
  const wrong = await nearcast('account', 'first', 'root@example.com', '--code', 'AAAA', ...flags);
  t.match(wrong, { code: 77, stderr: /FIRST_ADMIN_CODE_INVALID/ });
  const first = await nearcast('account', 'first', 'root@example.com', '--code', firstAdminCode, ...flags);
  t.match(first, { code: 0, stdout: /root@example\.com .*admin/ });

  const partner = ['account', 'add', 'isp@example.com', '--role', 'partner', ...flags];
  t.match(await nearcast(...partner), { code: 1, stderr: /sites/ });
  t.match(await nearcast(...partner, '--site', 'isp-a', 'isp-b'), { code: 0, stdout: /isp-a isp-b/ });
  t.match(await nearcast('account', 'set', 'ISP@example.com', '--disable'), {
    stdout: /partner \(disabled\)/,
  });
  t.match(await nearcast('account', 'set', 'isp@example.com'), { code: 1, stderr: /say what/ });
  t.match(await nearcast('account', 'list'), {
    stdout: /isp@example\.com[^]*root@|root@[^]*isp@example\.com/,
  });
  const exported = await nearcast('account', 'export', 'isp@example.com');
  t.match(JSON.parse(exported.stdout), {
    parts: { account: { email: 'isp@example.com', sites: ['isp-a', 'isp-b'] } },
  });
  t.match(await nearcast('account', 'remove', 'isp@example.com'), { code: 0 });
  t.match(await nearcast('account', 'remove', 'isp@example.com'), { code: 1, stderr: /ACCOUNT_UNKNOWN/ });

  const added = await nearcast(
    '--json',
    'client',
    'add',
    'a wall',
    '--redirect',
    'https://wall.example/cb',
    '--device',
  );
  const [{ id: client }] = JSON.parse(added.stdout) as [{ id: string }];
  t.match(await nearcast('client', 'list'), { stdout: /a wall.*wall\.example\/cb.*yes/ });
  t.match(await nearcast('client', 'add', 'evil', '--redirect', 'javascript:alert(1)'), {
    code: 1,
    stderr: /scheme/,
  });
  t.match(await nearcast('client', 'remove', client), { code: 0 });
  t.match(await nearcast('session', 'list'), { code: 0, stdout: /Nobody is signed in/ });

  const made = await nearcast('token', 'create', 'a build', '--scope', 'titles:read', '--for', '1h');
  t.match(made, { code: 0, stdout: /^ncat_\S+\n$/ });
  const tokenFile = join(dir, 'api.token');
  await writeFile(tokenFile, made.stdout);
  t.match(await nearcast('--token-file', tokenFile, 'title', 'list'), { code: 0 });
  t.match(await nearcast('--token-file', tokenFile, 'node', 'list'), { code: 77, stderr: /nodes:read/ });
  const listed = await nearcast('--json', 'token', 'list');
  const [{ id }] = JSON.parse(listed.stdout) as [{ id: string }];
  t.match(await nearcast('token', 'revoke', id), { code: 0 });
  t.match(await nearcast('--token-file', tokenFile, 'title', 'list'), { code: 77, stderr: /revoked/ });
});
