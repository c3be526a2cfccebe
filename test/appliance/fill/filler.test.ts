import { execFileSync } from 'node:child_process';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { createSystemClock } from '../../../common/runtime/clock.ts';
import { putFile, seededBytes, testFile, type TestFile } from '../../support/appliance/content.ts';
import { faults, startSource } from '../../support/appliance/fill-source.ts';
import { startFilling } from '../../support/appliance/filling-box.ts';
import { until } from '../../support/appliance/raw-http.ts';
import { temporaryDirectory, testDisk } from '../../support/appliance/serving-box.ts';

const mib = 1024 * 1024;

async function emptyDisk(test: Test, options: Parameters<typeof testDisk>[1] & { path?: string } = {}) {
  const path = options.path ?? (await temporaryDirectory(test));
  const { disk } = await testDisk(path, options);
  test.teardown(() => disk.close());
  return { disk, path };
}

async function bytesOf(
  disk: Awaited<ReturnType<typeof emptyDisk>>['disk'],
  { file }: TestFile,
): Promise<Buffer> {
  const content = await disk.open(file, 'content');
  const parts: Buffer[] = [];
  for (let at = 0; content !== undefined && at < content.sizeBytes;) {
    const piece = await content.read(at, content.sizeBytes - at);
    parts.push(Buffer.from(piece.bytes));
    at += piece.bytes.length;
    piece.release();
  }
  content?.release();
  return Buffer.concat(parts);
}

void t.test(
  'files come in the order of the manifest, from several sources at once, and whole',
  async (test) => {
    const { disk } = await emptyDisk(test);
    const files = [
      testFile(Buffer.from('{}'), 'json'),
      ...[1, 2].map((seed) => testFile(seededBytes(20 * mib + seed, seed))),
    ];
    const empty = testFile(Buffer.alloc(0), 'vtt');
    const peers = [
      await startSource(test, { name: 'a', files: [...files, empty] }),
      await startSource(test, { name: 'b', files: [...files, empty] }),
    ];
    // However slowly one of them is reached, the other does not carry all.
    const film = files[1]?.file ?? '';
    for (const peer of peers)
      peer.beforeSend = (sentBytes) =>
        until(() => sentBytes === 0 || peers.every(({ asked }) => asked.includes(film)));
    const { want, outcomes } = startFilling(test, {
      store: disk,
      ways: () => peers.map((peer) => peer.way()),
    });
    want(...files, empty);
    await until(() => disk.held.size === 4, 10_000);
    for (const file of files) test.ok((await bytesOf(disk, file)).equals(file.bytes));
    test.equal(outcomes[0]?.file, files[0]?.file, 'the bundle first');
    const first = outcomes.find(({ file }) => file === files[1]?.file);
    test.equal(first?.outcome, 'held');
    test.same(first?.bytesBySource.map(({ node }) => node).toSorted(), ['a', 'b'], 'both carried it');
    test.equal(
      first?.bytesBySource.reduce((sum, { bytes }) => sum + bytes, 0),
      20 * mib + 1,
    );
    test.equal(first?.chunksVerified, 21, 'nothing was brought twice');
  },
);

for (const behaviour of faults) {
  void t.test(`a source that ${behaviour} is left for one that does not`, async (test) => {
    const { disk } = await emptyDisk(test);
    const film = testFile(seededBytes(6 * mib + 11, 3));
    const bad = await startSource(test, { name: 'bad', files: [film], behaviour });
    const good = await startSource(test, { name: 'good', files: [film] });
    const { want, outcomes, chunks } = startFilling(test, {
      store: disk,
      concurrency: 2,
      ways: () => [bad.way('peer'), good.way('origin', 200)],
    });
    want(film);
    await until(() => disk.held.has(film.file), 10_000);
    test.ok((await bytesOf(disk, film)).equals(film.bytes));
    const outcome = outcomes.find(({ outcome: result }) => result === 'held');
    test.ok(outcome?.bytesBySource.some(({ kind, bytes }) => kind === 'origin' && bytes > 0));
    if (behaviour === 'lies')
      test.ok(chunks.refused >= 1 && (outcome?.chunksRefused ?? 0) >= 1, 'it is counted');
  });
}

void t.test('escalation: the origin is asked only after its wait', async (test) => {
  const { disk } = await emptyDisk(test);
  const film = testFile(seededBytes(2 * mib, 4));
  const origin = await startSource(test, { name: 'origin', files: [film] });
  const { want } = startFilling(test, {
    store: disk,
    clock: createSystemClock(),
    ways: () => [origin.way('origin', 400)],
  });
  const startedMs = performance.now();
  want(film);
  await until(() => disk.held.has(film.file));
  test.ok(performance.now() - startedMs >= 395);
});

void t.test('a peer that gets the file while the origin must still wait is used', async (test) => {
  const { disk } = await emptyDisk(test);
  const film = testFile(seededBytes(2 * mib, 5));
  const origin = await startSource(test, { name: 'origin', files: [film] });
  const peer = await startSource(test, { name: 'peer', files: [film] });
  const startedMs = performance.now();
  const { want, outcomes } = startFilling(test, {
    store: disk,
    clock: createSystemClock(),
    ways: () => [
      ...(performance.now() - startedMs > 500 ? [peer.way('peer')] : []),
      origin.way('origin', 600_000),
    ],
  });
  want(film);
  await until(() => disk.held.has(film.file), 20_000);
  test.match(outcomes[0]?.bytesBySource, [{ kind: 'peer', node: 'peer', bytes: film.bytes.length }]);
});

void t.test(
  'with only a liar the file is reported as failed, rests, and comes once somebody is honest',
  async (test) => {
    const { disk, path } = await emptyDisk(test);
    const film = testFile(seededBytes(3 * mib, 5));
    const source = await startSource(test, { name: 'liar', files: [film], behaviour: 'lies' });
    const other = await startSource(test, { name: 'honest', files: [film], behaviour: 'absent' });
    const { want, outcomes, filler } = startFilling(test, {
      store: disk,
      ways: () => [source.way(), other.way()],
    });
    want(film);
    await until(() => outcomes.length > 0);
    test.equal(outcomes[0]?.outcome, 'failed');
    test.match(outcomes[0]?.code, /FILL_CHECKSUM|FILL_NO_SOURCE/);
    test.equal(filler.missingFiles, 1);
    test.ok(filler.reasons().length > 0);
    test.equal(disk.held.size, 0);
    test.same(await readdir(join(path, 'files', film.file.slice(0, 2))), []);
    other.behaviour = 'good';
    await until(() => disk.held.has(film.file), 10_000);
    test.same(filler.reasons(), []);
  },
);

void t.test('a manifest whose size is not the size of the file is not believed', async (test) => {
  const { disk } = await emptyDisk(test);
  const film = testFile(seededBytes(2 * mib, 6));
  const source = await startSource(test, { name: 'a', files: [film] });
  const { filler, outcomes } = startFilling(test, { store: disk, ways: () => [source.way()] });
  filler.setManifest(1, {
    appliance: 'box',
    roster: [],
    files: [{ file: film.file, ext: 'mp4', sizeBytes: 5, bundle: film.file }],
  });
  await until(() => outcomes.length > 0);
  test.equal(outcomes[0]?.code, 'FILE_CORRUPT');
  test.equal(disk.partial.size, 0);
});

void t.test(
  'a manifest with files that nobody has and files that do not fit: told by name, the others come',
  async (test) => {
    const { disk, path } = await emptyDisk(test, { capacityBytes: 7 * mib });
    const good = [testFile(seededBytes(2 * mib, 30)), testFile(seededBytes(mib, 31))];
    const [unknown, unheard] = [testFile(seededBytes(mib, 32)), testFile(seededBytes(mib, 33))];
    const large = testFile(seededBytes(8 * mib, 34));
    const source = await startSource(test, { name: 'origin', files: [...good, large] });
    const { want, outcomes, filler } = startFilling(test, {
      store: disk,
      // The origin answers that it has no such file; of the other the control plane itself knows nothing.
      ways: (file) => (file === unheard.file ? [] : [source.way('origin')]),
    });
    want(unknown, large, good[0]!, unheard, good[1]!);
    const codeOf = ({ file }: TestFile): string | undefined =>
      outcomes.find((one) => one.file === file && one.outcome === 'failed')?.code;
    await until(() => good.every(({ file }) => disk.held.has(file)));
    await until(() => [unknown, unheard, large].every((file) => codeOf(file) !== undefined));
    test.same([unknown, unheard, large].map(codeOf), ['FILL_NO_SOURCE', 'FILL_NO_SOURCE', 'FILL_NO_SPACE']);
    test.same(filler.reasons().toSorted(), ['FILL_NO_SOURCE', 'FILL_NO_SPACE']);
    test.equal(filler.missingFiles, 3);
    test.same(await readdir(join(path, 'partial')), [], 'nothing half-done');
    want(...good);
    await until(() => filler.missingFiles === 0);
    test.same(filler.reasons(), []);
  },
);

void t.test('a new manifest in mid-fill: what is no longer wanted stops and leaves nothing', async (test) => {
  const { disk, path } = await emptyDisk(test);
  const [first, second] = [testFile(seededBytes(30 * mib, 7)), testFile(seededBytes(mib, 8))] as const;
  const source = await startSource(test, { name: 'a', files: [first, second] });
  const gate = Promise.withResolvers<void>();
  source.beforeSend = (sent) => (sent > 2 * mib ? gate.promise : Promise.resolve());
  const { want } = startFilling(test, {
    store: disk,
    ways: () => [source.way()],
    concurrency: 2,
    stallMs: 5000,
  });
  want(first);
  await until(() => disk.partial.has(first.file) && source.askedBytes > 8 * mib);
  want(second);
  await until(() => disk.held.has(second.file));
  gate.resolve();
  await until(async () => (await readdir(join(path, 'partial'))).length === 0);
  test.notOk(disk.held.has(first.file));
});

void t.test(
  'what does not fit is left and told; room is made from what no manifest names, only when needed',
  async (test) => {
    const { disk } = await emptyDisk(test, { capacityBytes: 10 * mib });
    const old = [1, 2, 3].map((seed) => testFile(seededBytes(2 * mib, 90 + seed)));
    for (const file of old) await putFile(disk, file);
    const served = await disk.open(old[0]!.file, 'content');
    const big = testFile(seededBytes(9 * mib, 10));
    const small = [testFile(seededBytes(2 * mib, 11)), testFile(seededBytes(3 * mib, 12))];
    const source = await startSource(test, { name: 'a', files: [big, ...small] });
    const { want, outcomes, filler } = startFilling(test, { store: disk, ways: () => [source.way()] });
    want(small[0]!);
    await until(() => disk.held.has(small[0]!.file));
    test.equal(disk.held.size, 4, 'there was room, so nothing was removed');
    want(big, ...small);
    await until(() => disk.held.has(small[1]!.file));
    await until(() => outcomes.some(({ code }) => code === 'FILL_NO_SPACE'));
    test.ok(filler.reasons().includes('FILL_NO_SPACE'));
    test.ok(disk.held.has(old[0]!.file), 'what is read stays');
    test.equal(disk.held.size, 4, 'two of the old had to go');
    served?.release();
  },
);

void t.test('the cap holds', async (test) => {
  const { disk } = await emptyDisk(test);
  const film = testFile(seededBytes(5 * mib, 13));
  const source = await startSource(test, { name: 'a', files: [film] });
  const clock = createSystemClock();
  const { want } = startFilling(test, {
    store: disk,
    clock,
    ways: () => [source.way()],
    capBytesPerSecond: 4 * mib,
    stallMs: 5000,
  });
  const startedMs = performance.now();
  want(film);
  await until(() => disk.held.has(film.file));
  // A burst of 256 KiB and the last chunk wait for nothing: the other 3.75 MiB take 938 ms.
  test.ok(performance.now() - startedMs >= 900);
});

void t.test('a download that was interrupted goes on where it was, chunks verified anew', async (test) => {
  const path = await temporaryDirectory(test);
  const film = testFile(seededBytes(20 * mib, 14));
  const source = await startSource(test, { name: 'a', files: [film] });
  const before = await testDisk(path);
  const first = startFilling(test, { store: before.disk, ways: () => [source.way()], concurrency: 1 });
  source.beforeSend = async () => {
    if (first.chunks.verified >= 10) await first.stop();
  };
  first.want(film);
  await until(() => first.chunks.verified >= 10);
  await first.stop();
  await before.disk.close();
  source.beforeSend = () => Promise.resolve();
  // A chunk that the map promises and a power cut took.
  const { open } = await import('node:fs/promises');
  const handle = await open(join(path, 'partial', film.file), 'r+');
  await handle.write(Buffer.alloc(100), 0, 100, 5 * mib);
  await handle.close();
  const { disk } = await emptyDisk(test, { path });
  test.ok(disk.partial.has(film.file));
  const second = startFilling(test, { store: disk, ways: () => [source.way()] });
  second.want(film);
  await until(() => disk.held.has(film.file));
  test.ok((await bytesOf(disk, film)).equals(film.bytes));
  const [outcome] = second.outcomes;
  test.ok((outcome?.resumedBytes ?? 0) >= 9 * mib);
  test.equal(
    (outcome?.chunksVerified ?? 0) * mib,
    20 * mib - (outcome?.resumedBytes ?? 0),
    'only what was missing was brought',
  );
});

void t.test(
  'a disk that fills up in mid-fill: coded, nothing half-left, the rest is served, and filled once there is room',
  async (test) => {
    const path = await temporaryDirectory(test);
    try {
      execFileSync('/usr/bin/mount', ['-t', 'tmpfs', '-o', 'size=16m', 'nearcast-test', path], {
        stdio: 'ignore',
      });
    } catch {
      test.comment('no tmpfs may be mounted here');
      return;
    }
    const { disk } = await testDisk(path);
    test.teardown(async () => {
      await disk.close();
      execFileSync('/usr/bin/umount', ['-l', path]);
    });
    const [held, film] = [testFile(seededBytes(mib, 15)), testFile(seededBytes(10 * mib, 16))] as const;
    await putFile(disk, held);
    const source = await startSource(test, { name: 'a', files: [film] });
    const ballast = join(path, 'ballast');
    let isFull = false;
    source.beforeSend = async (sent) => {
      if (sent < 3 * mib || isFull) return;
      isFull = true;
      // Somebody else's file takes the room that was planned with.
      await writeFile(ballast, Buffer.alloc(10 * mib, 1));
    };
    const { want, outcomes, filler } = startFilling(test, {
      store: disk,
      ways: () => [source.way()],
      concurrency: 1,
    });
    want(held, film);
    await until(() => outcomes.some(({ outcome }) => outcome === 'failed'), 10_000);
    test.match(outcomes.find(({ outcome }) => outcome === 'failed')?.code, /DISK_FULL|FILL_NO_SPACE/);
    test.ok(filler.reasons().some((code) => code === 'DISK_FULL' || code === 'FILL_NO_SPACE'));
    await until(async () => (await readdir(join(path, 'partial'))).length === 0);
    test.ok((await bytesOf(disk, held)).equals(held.bytes));
    await rm(ballast);
    await until(() => disk.held.has(film.file), 10_000);
    test.ok((await bytesOf(disk, film)).equals(film.bytes));
  },
);
