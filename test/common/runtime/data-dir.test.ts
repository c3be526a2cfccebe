import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { t } from 'tap';
import { openDataDir } from '../../../common/runtime/data-dir.ts';

const kind = 'test';

t.test('a directory is made private, locked while it is open, free afterwards', async (t) => {
  const path = join(t.testdir(), 'deep', 'data');
  const first = await openDataDir({ path, kind, formatVersion: 1 });
  t.equal(statSync(path).mode & 0o777, 0o700);
  await t.rejects(openDataDir({ path, kind, formatVersion: 1 }), {
    code: 'STORE_LOCKED',
    message: new RegExp(`in use by process ${process.pid}`),
  });
  await first.close();
  const second = await openDataDir({ path, kind, formatVersion: 1 });
  await second.close();
  t.same(readdirSync(path), ['format.json']);
});

t.test('the lock of a killed process is taken over, by one only', async (t) => {
  const path = t.testdir();
  const script = new URL('processes/lock-holder.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [script, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  await t.rejects(openDataDir({ path, kind, formatVersion: 1 }), {
    code: 'STORE_LOCKED',
    message: new RegExp(`process ${child.pid ?? 0}`),
  });
  child.kill('SIGKILL');
  await once(child, 'close');
  const stale = readFileSync(join(path, 'lock'), 'utf8');
  for (let round = 0; round < 50; round++) {
    writeFileSync(join(path, 'lock'), stale);
    const tries = await Promise.allSettled(
      Array.from({ length: 8 }, () => openDataDir({ path, kind, formatVersion: 1 })),
    );
    const taken = tries.filter((result) => result.status === 'fulfilled');
    if (taken.length !== 1) t.fail(`${taken.length} have taken it in round ${round}`);
  }
  t.same(readdirSync(path).sort(), ['format.json', 'lock']);
});

t.test('a process id that another process has now, and a lock cut short, hold nothing', async (t) => {
  const path = t.testdir({ lock: JSON.stringify({ pid: process.pid, startTicks: '1' }) });
  const first = await openDataDir({ path, kind, formatVersion: 1 });
  await first.close();
  writeFileSync(join(path, 'lock'), '');
  const second = await openDataDir({ path, kind, formatVersion: 1 });
  await second.close();
});

t.test('a killed process that its parent has not reaped holds nothing', async (t) => {
  const path = t.testdir();
  // The shell stands still, and its child is killed then: a zombie.
  const shell = spawn('sh', ['-c', 'sleep 60 & echo $!; kill -STOP $$'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  t.teardown(() => shell.kill('SIGKILL'));
  const [text] = (await once(shell.stdout, 'data')) as [Buffer];
  const pid = Number(text.toString());
  const stat = (of = pid) =>
    readFileSync(`/proc/${of}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ');
  while (stat(shell.pid)[0] !== 'T') await sleep(5);
  process.kill(pid, 'SIGKILL');
  while (stat()[0] !== 'Z') await sleep(5);
  writeFileSync(join(path, 'lock'), JSON.stringify({ pid, startTicks: stat()[19] }));
  const held = await openDataDir({ path, kind, formatVersion: 1 });
  await held.close();
});

t.test('a newer format and other data are refused, an older one is brought up', async (t) => {
  const path = t.testdir();
  await (await openDataDir({ path, kind, formatVersion: 2 })).close();
  const changedMs = statSync(path).mtimeMs;
  await t.rejects(openDataDir({ path, kind, formatVersion: 1 }), {
    code: 'STORE_NEWER',
    message: /has format 2, this program knows up to 1; upgrade it/,
  });
  t.equal(statSync(path).mtimeMs, changedMs, 'not even a lock is written');
  await t.rejects(openDataDir({ path, kind: 'other', formatVersion: 2 }), {
    code: 'CONFIG_INVALID',
    message: /data of test/,
  });
  t.notOk(existsSync(join(path, 'lock')), 'a refused directory is not left locked');
  const from: number[] = [];
  const migrate = async (version: number) => void from.push(version);
  await (await openDataDir({ path, kind, formatVersion: 3, migrate })).close();
  t.same(from, [2]);
  t.match(JSON.parse(readFileSync(join(path, 'format.json'), 'utf8')), { version: 3 });
});

t.test('a path that is a file', async (t) => {
  const path = join(t.testdir({ file: '' }), 'file');
  await t.rejects(openDataDir({ path, kind, formatVersion: 1 }), {
    code: 'STORE_UNAVAILABLE',
    message: /EEXIST|directory/,
  });
});
