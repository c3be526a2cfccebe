import { cp, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { bindMount, openBoxDisks, unmountNow } from '../../support/appliance/box-disks.ts';
import { putFile, seededBytes, testFile } from '../../support/appliance/content.ts';
import { faultyIo } from '../../support/appliance/faulty-io.ts';
import { until } from '../../support/appliance/raw-http.ts';
import { temporaryDirectory, testDisk } from '../../support/appliance/serving-box.ts';
import { mountSmallDisk } from '../../support/small-disk.ts';

const mib = 1024 * 1024;

async function places(test: Test, ...names: string[]): Promise<string[]> {
  const directory = await temporaryDirectory(test);
  const paths = ['data', ...names].map((name) => join(directory, name));
  for (const path of paths) await mkdir(path);
  return paths;
}

void t.test('without a list the data directory is the disk, with what it held before', async (test) => {
  const [dataDir = ''] = await places(test);
  const file = testFile(seededBytes(5000, 1));
  const { disk } = await testDisk(dataDir);
  await putFile(disk, file);
  await disk.close();
  const { set, storage, close } = await openBoxDisks(test, { dataDir });
  test.ok(set.held.has(file.file));
  test.same(storage.reasons(), []);
  test.match(JSON.parse(await readFile(join(dataDir, 'disk.json'), 'utf8')), {
    id: /^[0-9a-f]{16}$/,
    box: 'box',
  });
  await close();
  // Its files stay its own under another name.
  const renamed = await openBoxDisks(test, { dataDir, box: 'other' });
  test.ok(renamed.set.held.has(file.file));
});

void t.test('disks keep their ids and their files, and take new ones together', async (test) => {
  const [dataDir = '', ...disks] = await places(test, 'd1', 'd2');
  const first = await openBoxDisks(test, { dataDir, disks });
  const files = [1, 2, 3, 4].map((seed) => testFile(seededBytes(mib, seed)));
  for (const file of files) await putFile(first.set, file);
  test.same(first.storage.diskStates(), { serving: 2, draining: 0, out: 0 });
  const ids = await Promise.all(disks.map((path) => readFile(join(path, 'disk.json'), 'utf8')));
  test.not(ids[0], ids[1]);
  await first.close();
  const again = await openBoxDisks(test, { dataDir, disks });
  test.equal(again.set.held.size, 4);
  test.same(await Promise.all(disks.map((path) => readFile(join(path, 'disk.json'), 'utf8'))), ids);
});

void t.test('a disk that cannot be used is left out and says why; the others serve', async (test) => {
  const paths = await places(test, 'good', 'foreign', 'newer', 'locked', 'copy');
  const [dataDir = '', good = '', foreign = '', newer = '', locked = '', copy = ''] = paths;
  const gone = join(dataDir, 'gone');
  const link = join(dataDir, 'link');
  await symlink(good, link);
  await writeFile(join(foreign, 'disk.json'), JSON.stringify({ id: 'a'.repeat(16), box: 'other' }));
  await writeFile(join(newer, 'format.json'), JSON.stringify({ kind: 'appliance-disk', version: 9 }));
  const startTicks = readFileSync(`/proc/${process.ppid}/stat`, 'utf8').split(') ')[1]?.split(' ')[19];
  await writeFile(join(locked, 'lock'), JSON.stringify({ pid: process.ppid, startTicks }));
  const before = await openBoxDisks(test, { dataDir, disks: [good] });
  await before.close();
  await cp(join(good, 'disk.json'), join(copy, 'disk.json'));
  const disks = [good, foreign, newer, locked, gone];
  const { storage, set } = await openBoxDisks(test, { dataDir, disks });
  test.same(storage.diskStates(), { serving: 1, draining: 0, out: 4 });
  const said = storage.reasons().join('\n');
  test.match(said, /^DISK_FOREIGN: .*foreign: it is of other; .* delete .*disk\.json$/m);
  test.match(said, /^DISK_REFUSED: STORE_NEWER: .*newer: .* has format 9/m);
  test.match(said, new RegExp(`^DISK_REFUSED: STORE_LOCKED: .*in use by process ${process.ppid}`, 'm'));
  test.match(said, /^DISK_GONE: .*gone: .*mount the disk/m);
  // Reached by another way, or copied: used once.
  for (const twin of [link, copy]) {
    await storage.useDisks({ disks: [good, twin], drainDisks: [] });
    test.match(storage.reasons().join(), /^DISK_TWICE: .*configure one of them$/);
  }
  await storage.useDisks({ disks: [good], drainDisks: [] });
  test.same(storage.reasons(), []);
  await putFile(set, testFile(seededBytes(1000, 1)));
  test.equal(set.held.size, 1);
});

void t.test(
  'disks are added and taken out while files are served, and one comes when it is mounted late',
  async (test) => {
    const [dataDir = '', one = '', two = ''] = await places(test, 'd1', 'd2');
    const late = join(dataDir, 'late');
    const { storage, set } = await openBoxDisks(test, { dataDir, disks: [one] });
    const file = testFile(seededBytes(mib, 1));
    await putFile(set, file);
    await storage.useDisks({ disks: [one, two, late], drainDisks: [one] });
    test.match(storage.reasons().join('\n'), /^DISK_DRAINING: .*d1: 1 files left$/m);
    await mkdir(late);
    await until(() => storage.diskStates().out === 0, 10_000);
    set.move(file.file, [...set.roots].find(([, root]) => root === two)![0]);
    await until(() => storage.reasons().some((reason) => reason.startsWith('DISK_DRAINED')));
    await storage.useDisks({ disks: [two, late], drainDisks: [] });
    test.same(storage.reasons(), []);
    test.ok(set.held.has(file.file));
    // What was taken out is nobody's any more.
    const other = await openBoxDisks(test, { dataDir: join(dataDir, 'other'), disks: [one], box: 'box' });
    test.same(other.storage.reasons(), []);
  },
);

void t.test(
  'a mount that vanishes is quarantined, over restarts, until it is there and released',
  async (test) => {
    const [dataDir = '', one = '', at = '', behind = ''] = await places(test, 'd1', 'd2', 'behind');
    if (!(await bindMount(test, { from: behind, at }))) {
      test.pass('it is told', { skip: 'mounting takes root' });
      return;
    }
    const disks = [one, at];
    const first = await openBoxDisks(test, { dataDir, disks });
    const files = [1, 2].map((seed) => testFile(seededBytes(mib, seed)));
    const lost = files[1]!.file;
    const number = [...first.set.roots].find(([, root]) => root === at)![0];
    await putFile(first.set, files[0]!, 1 - number);
    await putFile(first.set, files[1]!, number);
    const told: string[] = [];
    first.set.onChange(({ kind, file }) => void told.push(`${kind} ${file}`));
    await unmountNow(at);
    await until(() => first.storage.reasons().length > 0, 10_000);
    test.match(first.storage.reasons().join(), /^DISK_GONE: .*d2: .*lost its label/);
    test.same(told, [`removed ${lost}`], 'only its files');
    test.same(first.storage.diskStates(), { serving: 1, draining: 0, out: 1 });
    await first.close();

    const second = await openBoxDisks(test, { dataDir, disks });
    test.match(second.storage.reasons().join(), /^DISK_GONE: .*d2: .*lost its label/);
    const [quarantine = ''] = await readdir(join(dataDir, 'quarantine'));
    test.match(JSON.parse(await readFile(join(dataDir, 'quarantine', quarantine), 'utf8')), {
      ...{ path: at, code: 'DISK_GONE', sinceMs: Number },
    });
    await rm(join(dataDir, 'quarantine', quarantine));
    await until(() => second.storage.reasons().join().includes('not mounted'), 10_000);
    test.same(await readdir(at), [], 'an empty mount point is not taken for a new disk');
    await bindMount(test, { from: behind, at });
    await until(() => second.set.held.has(lost), 10_000);
    test.same(second.storage.reasons(), []);
  },
);

void t.test('a full disk stays in use', async (test) => {
  const disk = await mountSmallDisk(16 * mib);
  if (typeof disk === 'string') {
    test.pass('it does', { skip: disk });
    return;
  }
  const [dataDir = '', one = ''] = await places(test, 'd1');
  const { storage, set, close } = await openBoxDisks(test, { dataDir, disks: [disk.path, one] });
  test.teardown(() => close().then(() => disk.unmount()));
  const small = [...set.roots].find(([, root]) => root === disk.path)![0];
  const file = testFile(seededBytes(mib, 1));
  await disk.fill(100_000);
  await test.rejects(
    set.begin(file.file, file.descriptor, small).then(() => 'begun'),
    { code: 'DISK_FULL' },
    'before a byte is written',
  );
  await disk.fill();
  await new Promise((resolve) => setTimeout(resolve, 1200));
  test.same(storage.reasons(), [], 'two probes later');
});

void t.test('a disk that can only be read is quarantined', async (test) => {
  const faults = await faultyIo(test);
  if (typeof faults === 'string') {
    test.pass('it is', { skip: faults });
    return;
  }
  const [dataDir = '', one = '', two = ''] = await places(test, 'd1', 'd2');
  const { storage, set } = await withEnvironment(faults.by, () =>
    openBoxDisks(test, { dataDir, disks: [one, two] }),
  );
  await faults.fail('write', `${two}/`, 'EROFS');
  await until(() => storage.reasons().length > 0, 10_000);
  test.match(storage.reasons().join(), /^DISK_READ_ONLY: /);
  test.same([...set.roots.values()], [one]);
});

/** Starts something with what `env NAME=VALUE…` would give it. */
async function withEnvironment<T>(env: readonly string[], start: () => Promise<T>): Promise<T> {
  const pairs = env.slice(1).map((pair) => pair.split('=') as [string, string]);
  for (const [name, value] of pairs) process.env[name] = value;
  try {
    return await start();
  } finally {
    for (const [name] of pairs) Reflect.deleteProperty(process.env, name);
  }
}
