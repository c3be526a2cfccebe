import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';

import { openMail } from '../../../../common/adapters/mail/open.ts';
import type { Mail } from '../../../../common/adapters/mail/port.ts';
import { createManualClock } from '../../../../common/runtime/manual-clock.ts';
import { mailConformance } from '../../../conformance/mail.ts';

const clock = createManualClock();
const options = { from: 'nearcast@cdn.example', password: undefined, clock };
const open = (directory: string): Promise<Mail> => openMail(pathToFileURL(directory).href, options);
const within = { signal: AbortSignal.timeout(60_000) };
let labs = 0;

t.test('conformance: a directory', (t) => {
  const base = t.testdir();
  mailConformance(t, async () => {
    const directory = join(base, `lab-${labs++}`);
    const mail = await open(directory);
    const letters = async () => {
      const names = await readdir(directory).catch(() => []);
      return Promise.all(names.sort().map((name) => readFile(join(directory, name), 'utf8')));
    };
    // Each has a time of its own, by which they are in order.
    return {
      letters,
      mail: { ...mail, send: async (letter, how) => (await clock.advance(1), mail.send(letter, how)) },
    };
  });
  t.end();
});

t.test('letters are private, the oldest go, and what is none stays', async (t) => {
  const directory = join(t.testdir(), 'mail');
  const mail = await open(directory);
  const letter = {
    accountId: 'acc_ada00001',
    to: { name: 'Ada', address: 'ada@example.com' },
    subject: 'x',
    text: 'y',
  };
  await mail.send({ ...letter, id: 'let_first0001' }, within);
  const [first = ''] = await readdir(directory);
  t.equal((await stat(join(directory, first))).mode & 0o777, 0o600);
  t.equal((await stat(directory)).mode & 0o777, 0o700);
  for (let at = 0; at < 1000; at++)
    await writeFile(join(directory, `${String(clock.nowMs() + at).padStart(15, '0')}-let_x.eml`), '');
  await writeFile(join(directory, '000-notes.txt'), '');
  await clock.advance(2000);
  await mail.send({ ...letter, id: 'let_last00001' }, within);
  const names = await readdir(directory);
  t.equal(names.length, 1001);
  t.notOk(names.includes(first));
  t.ok(names.includes('000-notes.txt'));
  t.ok(names.some((name) => name.endsWith('-let_last00001.eml')));
});

t.test('letters about an account are forgotten, others stay', async (t) => {
  const directory = join(t.testdir(), 'mail');
  const mail = await open(directory);
  await mail.forget('acc_ada00001');
  const letter = { to: { name: 'Ada', address: 'ada@example.com' }, subject: 'x', text: 'y' };
  const accounts = ['acc_ada00001', 'acc_ada000012', 'acc_ada00001', 'acc_bob00001'];
  for (const [at, accountId] of accounts.entries())
    await mail.send({ ...letter, id: `let_0000000${at}`, accountId }, within);
  await mail.forget('acc_ada00001');
  const names = (await readdir(directory)).map((name) => name.slice('000001234567890-'.length)).sort();
  t.strictSame(names, ['acc_ada000012-let_00000001.eml', 'acc_bob00001-let_00000003.eml']);
});

t.test('URLs that open nothing', async (t) => {
  for (const url of [
    '',
    'http://a',
    'file://host/x',
    'smtp:',
    'smtp://',
    'smtp://a/b',
    'smtp://a?b=c',
    'smtp://u:p@a',
  ])
    await t.rejects(openMail(url, options), { code: 'CONFIG_INVALID' }, url);
  await t.rejects(openMail('smtp://u@a', options), { code: 'CONFIG_INVALID' }, 'a user without a password');
  await t.rejects(openMail('smtp://a', { ...options, password: 'x' }), { code: 'CONFIG_INVALID' });
});
