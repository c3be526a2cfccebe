import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';

import t from 'tap';

import { temporaryDir } from '../../control-plane/support/control-plane.ts';
import { oracleGeneral } from '../../support/traces.ts';

const bin = new URL('../../../cli/bin.ts', import.meta.url).pathname;

/** Runs `nearcast lab cache` as people do; there is no control plane and no token. */
async function labCache(cwd: string, ...argv: string[]) {
  const child = spawn(process.execPath, [bin, 'lab', 'cache', ...argv], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr, [code]] = await Promise.all([
    textOf(child.stdout),
    textOf(child.stderr),
    once(child, 'exit') as Promise<[number | null]>,
  ]);
  return { code, stdout, stderr };
}

t.test('a table for people, JSON for programs', async (t) => {
  const cwd = await temporaryDir(t);
  const mebibyte = 2 ** 20;
  const requests = [1, 2, 3, 1, 4, 1, 2].map((id) => ({ id, sizeBytes: mebibyte }));
  await writeFile(join(cwd, 'a.bin'), oracleGeneral(requests));
  const asked = [
    '--trace',
    'a.bin',
    '--format',
    'oracle-general',
    '--policy',
    'lru,belady',
    '--size',
    '3MiB,8MiB',
  ];
  const table = await labCache(cwd, ...asked);
  t.equal(table.code, 0, table.stderr);
  t.match(table.stdout, /^7 requests, 7340032 bytes \(7\.00 MiB\)\n/);
  t.match(table.stdout, /size +policy +misses +miss ratio +missed bytes +byte miss ratio/);
  t.match(table.stdout, /3\.00 MiB +lru +5 +0\.7143 +5242880 +0\.7143/);
  t.match(table.stdout, /3\.00 MiB +belady +4 +0\.5714/);
  t.match(table.stdout, /8\.00 MiB +belady +4 +0\.5714/);
  const json = await labCache(cwd, ...asked, '--json');
  t.strictSame((JSON.parse(json.stdout) as { results: unknown[] }).results[0], {
    policy: 'lru',
    capacityBytes: 3 * mebibyte,
    misses: 5,
    missRatio: 5 / 7,
    missBytes: 5 * mebibyte,
    byteMissRatio: 5 / 7,
  });
});

t.test('errors have codes and exit codes', async (t) => {
  const cwd = await temporaryDir(t);
  await writeFile(join(cwd, 'a.csv'), '1,2,0\n');
  const cases: [string[], number, RegExp][] = [
    [['--trace', 'a.csv', '--format', 'csv'], 64, /--size/],
    [
      ['--trace', 'a.csv', '--format', 'csv', '--size', '1MiB'],
      1,
      /TRACE_INVALID.*a\.csv: line 1 has size "0"/,
    ],
    [['--trace', 'b.csv', '--format', 'csv', '--size', '1MiB'], 1, /PATH_UNREADABLE.*b\.csv \(ENOENT\)/],
    [
      ['--trace', 'a.csv', '--format', 'csv', '--size', '1MiB', '--policy', 'lfu'],
      1,
      /INVALID.*"lfu" but one of lru/,
    ],
  ];
  for (const [argv, code, message] of cases) {
    const run = await labCache(cwd, ...argv);
    t.equal(run.code, code, argv.join(' '));
    t.match(run.stderr, message);
    t.equal(run.stdout, '');
  }
});
