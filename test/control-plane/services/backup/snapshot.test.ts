import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { openRecords } from '../../../../common/adapters/records/open.ts';
import type { Records } from '../../../../common/adapters/records/port.ts';
import { createSystemClock } from '../../../../common/runtime/clock.ts';
import { createSilentLog } from '../../../../common/runtime/log.ts';
import { readConfig } from '../../../../control-plane/config.ts';
import { openStores } from '../../../../control-plane/stores.ts';
import { temporaryDir } from '../../support/control-plane.ts';

const names = ['first', 'second', 'third'] as const;
const signal = new AbortController().signal;

async function count(records: Records | undefined): Promise<number> {
  const entry = await records?.get('counter', 'n');
  return (entry?.value as { n: number } | undefined)?.n ?? 0;
}

t.test('copies of several files are as of one moment, however long each of them takes', async (t) => {
  const dataDir = await temporaryDir(t);
  const config = readConfig(['--data-dir', dataDir], {});
  const stores = await openStores({ config, clock: createSystemClock(), log: createSilentLog() });
  t.teardown(() => stores.close());
  const files: Records[] = [];
  for (const name of names) files.push(await stores.open(name));
  // The first file takes many steps to copy, the last one a single one.
  const filler = 'x'.repeat(100_000);
  for (let index = 0; index < 100; index++) await files[0]?.put('filler', `k${String(index)}`, { filler });

  const enough = new AbortController();
  let written = 0;
  const writing = (async () => {
    // Each service changes after the one before it: a later file must never know more than an earlier one.
    for (let n = 1; !enough.signal.aborted; n++) {
      for (const records of files) await records.put('counter', 'n', { n });
      written = n;
      await new Promise(setImmediate);
    }
  })();
  const seen: number[] = [];
  for (let round = 0; round < 8; round++) {
    const directory = join(dataDir, `copy-${String(round)}`);
    await mkdir(directory);
    const before = written;
    let steps = 0;
    await stores.snapshot({ directory, onProgress: () => steps++, signal });
    t.ok(steps > 10, 'in steps');
    const counts: number[] = [];
    for (const name of names) {
      const copy = await openRecords(`sqlite://${join(directory, `${name}.db`)}`);
      counts.push(await count(copy));
      await copy.close();
    }
    const [first = 0, second = 0, third = 0] = counts;
    t.ok(first >= second && second >= third && third >= first - 1, `one moment: ${counts.join(' ')}`);
    t.ok(third >= before, 'and none that was over');
    seen.push(third);
  }
  enough.abort();
  await writing;
  t.ok(new Set(seen).size > 4, `it was written meanwhile: ${seen.join(' ')}`);
  t.equal(await count(files[2]), written, 'what had to wait was done');
});

t.test('a copy that cannot be written ends all of them, and changes go on', async (t) => {
  const dataDir = await temporaryDir(t);
  const config = readConfig(['--data-dir', dataDir], {});
  const stores = await openStores({ config, clock: createSystemClock(), log: createSilentLog() });
  t.teardown(() => stores.close());
  const records = await stores.open('first');
  await stores.open('second');
  const directory = join(dataDir, 'copy');
  await mkdir(join(directory, 'second.db'), { recursive: true });
  const options = { directory, onProgress: () => undefined, signal };
  await t.rejects(stores.snapshot(options), { code: 'STORE_UNAVAILABLE' });
  t.ok(await records.put('c', 'k', {}));
  const stopped = { ...options, directory: join(dataDir, 'other'), signal: AbortSignal.abort() };
  await mkdir(stopped.directory);
  await t.rejects(stores.snapshot(stopped));
  t.ok(await records.put('c', 'k', {}));
});
