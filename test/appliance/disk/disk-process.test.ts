import { mkdir, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { readConfig } from '../../../appliance/config.ts';
import { startDiskChild } from '../../../appliance/disk/disk-child.ts';
import { DiskProcess } from '../../../appliance/disk/disk-process.ts';
import type { NativeAddon } from '../../../appliance/engine/native-addon.ts';
import { diskLayout } from '../../../appliance/store/disk-layout.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import { openBoxDisks } from '../../support/appliance/box-disks.ts';
import { putFile, seededBytes, testFile, type TestFile } from '../../support/appliance/content.ts';
import { until } from '../../support/appliance/raw-http.ts';
import { requireAddon, temporaryDirectory } from '../../support/appliance/serving-box.ts';
import { childrenOf } from '../../support/appliance/serving-pool.ts';

const mib = 1024 * 1024;
const label = { id: 'a'.repeat(16), box: 'box' };

/** The process that has a disk's index open. */
async function processOf(path: string): Promise<number> {
  for (const pid of childrenOf()) {
    const fds = await readdir(`/proc/${pid}/fd`).catch(() => []);
    const open = await Promise.all(fds.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')));
    if (open.includes(join(path, 'index.sqlite'))) return pid;
  }
  throw new Error(`nobody has the index of ${path} open`);
}

async function twoDisks(test: Test, more: readonly string[] = []) {
  const directory = await temporaryDirectory(test);
  const [dataDir = '', one = '', two = ''] = ['data', 'd1', 'd2'].map((name) => join(directory, name));
  for (const path of [dataDir, one, two]) await mkdir(path);
  const box = await openBoxDisks(test, { dataDir, disks: [one, two], more });
  await until(() => box.set.roots.size === 2, 10_000);
  const number = (path: string): number => [...box.set.roots].find(([, root]) => root === path)![0];
  return { ...box, one, two, number };
}

function startProcess(test: Test, path: string, addon: NativeAddon | undefined = undefined): DiskProcess {
  const { log } = readConfig(['--control-url', 'http://127.0.0.1:1', '--log-level', 'silent'], {});
  const disk = new DiskProcess({
    ...{ path, nodeId: 'box', log, clock: createSystemClock() },
    child: startDiskChild(addon),
  });
  test.teardown(() => {
    disk.abandon();
  });
  return disk;
}

async function putChunks(put: (index: number, chunk: Buffer) => Promise<boolean>, { bytes }: TestFile) {
  const count = Math.ceil(bytes.length / mib);
  return Promise.all(
    Array.from({ length: count }, (_, index) => put(index, bytes.subarray(index * mib, (index + 1) * mib))),
  );
}

for (const addon of [requireAddon(), undefined]) {
  const how = addon === undefined ? 'sent' : 'in shared memory';
  void t.test(
    `many chunks at once, ${how}, come whole, each to its place, and wrong ones are not written`,
    async (test) => {
      const path = await temporaryDirectory(test);
      const disk = startProcess(test, path, addon);
      await disk.open({ label, isNew: true, isDataDir: false });
      const files = [1, 2].map((seed) => testFile(seededBytes(20 * mib + 4321 * seed, seed)));
      for (const { file, descriptor } of files) await disk.begin(file, descriptor);
      /** As fills do, and beside them as those do whose chunks come from elsewhere. */
      const put = async (file: string, index: number, chunk: Buffer): Promise<boolean> => {
        const buffer = index % 4 === 0 ? undefined : disk.buffers.take();
        if (buffer === undefined) return disk.put(file, index, chunk);
        chunk.copy(buffer);
        const isGood = await disk.put(file, index, buffer.subarray(0, chunk.length));
        disk.buffers.giveBack(buffer);
        return isGood;
      };
      const results = await Promise.all(
        files.map((each) => putChunks((index, chunk) => put(each.file, index, chunk), each)),
      );
      test.ok(results.flat().every((isGood) => isGood));
      const [first, second] = files as [TestFile, TestFile];
      test.equal(await put(first.file, 3, second.bytes.subarray(0, mib)), false);
      await test.rejects(put('b'.repeat(64), 0, first.bytes.subarray(0, mib)), { code: 'ABORTED' });
      for (const { file, bytes } of files) {
        test.match(await disk.publish(file), { writtenBytes: bytes.length });
        test.ok((await readFile(diskLayout(path).content(file))).equals(bytes));
      }
      test.equal(await disk.check(first.file, 20, 'disk'), 'good');
      await disk.close();
      test.notOk((await readdir(path)).includes('lock'), 'it is let go of');
      const again = startProcess(test, path);
      const { held } = await again.open({ label, isNew: false, isDataDir: false });
      test.same([...held].toSorted(), files.map(({ file, bytes }) => [file, bytes.length]).toSorted());
    },
  );
}

void t.test('the process of a master that was killed makes way at once', async (test) => {
  const path = await temporaryDirectory(test);
  const before = startProcess(test, path);
  await before.open({ label, isNew: true, isDataDir: false });
  const file = testFile(seededBytes(3 * mib, 1));
  await before.begin(file.file, file.descriptor);
  await before.put(file.file, 1, file.bytes.subarray(mib, 2 * mib));
  const next = startProcess(test, path);
  await next.look();
  const opening = next.open({ label, isNew: false, isDataDir: false });
  before.abandon();
  const { partial } = await opening;
  test.same([...partial], [file.file]);
  test.equal((await next.resume(file.file))?.resumedBytes, mib);
});

void t.test('while one process has a disk another is refused', async (test) => {
  const path = await temporaryDirectory(test);
  const [one, two] = [startProcess(test, path), startProcess(test, path)];
  await one.open({ label, isNew: true, isDataDir: true });
  await test.rejects(two.open({ label, isNew: false, isDataDir: true }), { code: 'STORE_LOCKED' });
  await one.close();
  await two.open({ label, isNew: false, isDataDir: true });
});

void t.test(
  'when its process is killed a disk serves on; downloads are resumed by the next',
  async (test) => {
    const { storage, set, two, number } = await twoDisks(test);
    const [held, coming, late] = [1, 2, 3].map((seed) => testFile(seededBytes(2 * mib + seed, seed)));
    await putFile(set, held!, number(two));
    const partial = await set.begin(coming!.file, coming!.descriptor, number(two));
    await partial.put(0, coming!.bytes.subarray(0, mib));
    const told: string[] = [];
    set.onChange(({ kind }) => void told.push(kind));
    const pid = await processOf(two);
    process.kill(pid, 'SIGKILL');
    await until(() => partial.isOver);
    await test.rejects(partial.put(1, coming!.bytes.subarray(mib, 2 * mib)), { code: 'DISK_GONE' });
    const content = await set.open(held!.file, 'content');
    const piece = await content!.read(0, 1000);
    test.ok(Buffer.from(piece.bytes).equals(held!.bytes.subarray(0, piece.bytes.length)));
    piece.release();
    content!.release();
    await until(async () => (await processOf(two).catch(() => pid)) !== pid, 10_000);
    await until(
      () =>
        set.resume(coming!.file).then(
          (again) => again?.resumedBytes === mib,
          () => false,
        ),
      10_000,
    );
    await putFile(set, late!, number(two));
    test.same(told, ['added'], 'nothing was withdrawn');
    test.same(storage.reasons(), []);
  },
);

void t.test('a disk whose process hangs is out after its time; nobody waits for it', async (test) => {
  const { storage, set, close, one, two, number } = await twoDisks(test, ['--disk-slow-ms', '1000']);
  const [lost, kept] = [1, 2].map((seed) => testFile(seededBytes(mib, seed)));
  await putFile(set, lost!, number(two));
  const partial = await set.begin(kept!.file, kept!.descriptor, number(two));
  const pid = await processOf(two);
  process.kill(pid, 'SIGSTOP');
  const writing = partial.put(0, kept!.bytes);
  await test.rejects(writing, { code: 'DISK_GONE' }, 'what was being written there ends');
  test.match(storage.reasons().join(), /^DISK_SLOW: .*d2/);
  test.notOk(set.held.has(lost!.file));
  await putFile(set, kept!, number(one));
  await close();
});

void t.test('a process that ends again and again takes its disk out, which comes back', async (test) => {
  const { storage, set, two, number } = await twoDisks(test);
  const file = testFile(seededBytes(mib, 1));
  await putFile(set, file, number(two));
  const isOut = (): boolean => storage.reasons().some((reason) => reason.startsWith('DISK_REFUSED'));
  await until(async () => {
    const pid = await processOf(two).catch(() => undefined);
    if (pid !== undefined && !isOut()) process.kill(pid, 'SIGKILL');
    return isOut();
  }, 20_000);
  test.match(storage.reasons().join(), /STORE_UNAVAILABLE: .*d2: the process of .*d2 has ended: SIGKILL/);
  await until(() => set.held.has(file.file), 20_000);
  test.same(storage.reasons(), []);
});
