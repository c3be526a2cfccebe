import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import t from 'tap';

import { startPlane, temporaryDir } from '../control-plane/support/control-plane.ts';
import { addPerson } from '../control-plane/support/sign-in.ts';
import { nearcastCli } from '../support/nearcast-cli.ts';

t.test('profiles from the command line', async (t) => {
  const plane = await startPlane(t);
  await addPerson(plane, { role: 'viewer' });
  const nearcast = nearcastCli(plane);
  const pinFile = join(await temporaryDir(t), 'pin');
  await writeFile(pinFile, '2468\n');

  t.match(await nearcast('profile', 'list', 'ADA@example.com'), { code: 0, stdout: /no profiles/ });
  const flags = ['--avatar', 'owl', '--maturity', '12', '--language', 'de', '--autoplay', 'off'];
  const added = await nearcast('--json', 'profile', 'add', 'ada@example.com', 'Ada', ...flags);
  const [{ id }] = JSON.parse(added.stdout) as [{ id: string }];
  t.match(JSON.parse(added.stdout), [{ avatar: 'owl', maturityMax: 12, language: 'de', autoplay: false }]);
  t.match(await nearcast('profile', 'set', id), { code: 1, stderr: /say what/ });
  const heard = ['--captions', 'de:sdh', '--audio-language', 'ja'];
  t.match(await nearcast('profile', 'set', id, ...heard), { code: 0, stdout: /de +ja +de \(SDH\)/ });
  t.match(await nearcast('profile', 'set', id, '--captions', 'off'), { stdout: /ja +off/ });
  const cleared = await nearcast('profile', 'set', id, '--clear', 'captions', 'audio-language');
  t.match(cleared, { stdout: /de +de +where needed/ });
  t.match(await nearcast('profile', 'set', id, '--captions', 'de:loud'), { code: 64 });
  const change = ['--name', '千尋', '--pin-file', pinFile, '--clear', 'language'];
  t.match(await nearcast('profile', 'set', id, ...change), {
    code: 0,
    stdout: /千尋 .*owl .*12 .*yes .*off/,
  });
  t.match(await nearcast('profile', 'set', id, '--clear', 'pin'), { stdout: /千尋 .*owl .*12 .*no .*off/ });
  t.match(await nearcast('profile', 'add', 'ada@example.com', 'x', '--avatar', 'nobody'), { code: 64 });
  t.match(await nearcast('profile', 'add', 'eve@example.com', 'x'), { code: 1, stderr: /ACCOUNT_UNKNOWN/ });
  t.match(await nearcast('profile', 'remove', id), { code: 0 });
  t.match(await nearcast('profile', 'remove', id), { code: 1, stderr: /PROFILE_UNKNOWN/ });
});
