import { execFileSync } from 'node:child_process';
import { readFile, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { ChunkBuffers } from '../../../appliance/store/chunk-buffers.ts';
import { pageAligned } from '../../../appliance/store/page-aligned.ts';
import { ChunkFile } from '../../../appliance/store/chunk-file.ts';
import { createWriteBehind } from '../../../appliance/store/write-behind.ts';
import { createSilentLog, type Log } from '../../../common/runtime/log.ts';
import { seededBytes } from '../../support/appliance/content.ts';
import { requireAddon, temporaryDirectory } from '../../support/appliance/serving-box.ts';

const mib = 2 ** 20;
const tmpfsMagic = 0x01021994;

async function newFile(test: Test) {
  const directory = await temporaryDirectory(test);
  const dropped: number[] = [];
  const path = join(directory, 'content');
  const file = await ChunkFile.open(path, 'w+', { drop: (fd) => void dropped.push(fd) });
  test.teardown(() => file.close());
  const isMemory = (await statfs(directory)).type === tmpfsMagic;
  return { file, path, dropped, isMemory };
}

/** Bytes of a file that are in the page cache; undefined where nobody tells. */
function residentBytes(path: string): number | undefined {
  try {
    const told = execFileSync('fincore', ['--bytes', '--noheadings', '--output', 'RES', path], {
      stdio: 'pipe',
    });
    return Number(told.toString());
  } catch {
    return undefined;
  }
}

/** The same bytes in a buffer that is aligned as those of downloads are. */
function aligned(buffers: ChunkBuffers, bytes: Buffer): Buffer {
  const buffer = buffers.take();
  if (buffer === undefined) throw new Error('no buffer is left');
  bytes.copy(buffer);
  return buffer.subarray(0, bytes.length);
}

void t.test('what is written is there, whatever its place, length and memory', async (test) => {
  const { file, path } = await newFile(test);
  const whole = seededBytes(3 * mib + 123, 1);
  await file.handle.truncate(whole.length);
  const buffers = new ChunkBuffers(pageAligned(4 * mib));
  const chunk = (index: number): Buffer => whole.subarray(index * mib, (index + 1) * mib);
  await file.write(aligned(buffers, chunk(2)), 2 * mib);
  await file.write(chunk(0), 0);
  await file.write(aligned(buffers, chunk(3)), 3 * mib);
  await file.write(Buffer.concat([Buffer.alloc(1), chunk(1)]).subarray(1), mib);
  await file.sync();
  test.ok((await readFile(path)).equals(whole));
});

void t.test('chunks of downloads do not stay in memory', async (test) => {
  const { file, path, isMemory } = await newFile(test);
  if (isMemory || residentBytes(path) === undefined) {
    test.comment('the files of this machine are in memory, or it has no fincore');
    return;
  }
  const buffers = new ChunkBuffers(pageAligned(mib));
  const buffer = aligned(buffers, seededBytes(mib, 2));
  for (let index = 0; index < 32; index++) await file.write(buffer, index * mib);
  await file.sync();
  test.ok((residentBytes(path) ?? Infinity) <= mib, `${residentBytes(path)} bytes stay`);
});

void t.test('what had to go through memory is dropped once it is durable', async (test) => {
  const { file, dropped } = await newFile(test);
  const chunk = seededBytes(mib + 1, 3).subarray(1);
  for (let index = 0; index < 15; index++) await file.write(chunk, index * mib);
  test.same(dropped, []);
  await file.write(chunk, 15 * mib);
  test.same(dropped, [file.handle.fd], 'every 16 MiB');
  await file.sync();
  test.equal(dropped.length, 1, 'there is nothing more');
  await file.write(chunk, 16 * mib);
  await file.sync();
  test.equal(dropped.length, 2, 'and at its end');
});

void t.test('the native engine drops; without it, what that means is said once', async (test) => {
  const { file, path, isMemory } = await newFile(test);
  await file.handle.write(seededBytes(4 * mib, 4));
  await file.handle.sync();
  createWriteBehind({ loadAddon: requireAddon, log: createSilentLog() }).drop(file.handle.fd);
  const resident = residentBytes(path);
  if (isMemory || resident === undefined) test.comment('nobody tells what is in memory here');
  else test.equal(resident, 0);
  const said: string[] = [];
  const log = { ...createSilentLog(), warn: (text: string) => void said.push(text) } as unknown as Log;
  const behind = createWriteBehind({ loadAddon: () => undefined, log });
  behind.drop(file.handle.fd);
  behind.drop(file.handle.fd);
  test.equal(said.length, 1);
  test.match(said[0], /stays in memory/);
});
