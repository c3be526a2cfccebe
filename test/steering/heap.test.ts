import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { steadyHeapFlags } from '../../common/runtime/heap.ts';
import { startSteeringControl } from '../support/steering-control.ts';
import { startSteering } from '../support/steering-process.ts';

/** Tells of each program that a process is which flags it was started with. */
const teller = `
import { appendFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
if (isMainThread) appendFileSync(process.env.TOLD, process.pid + ' ' + process.execArgv.join(' ') + '\\n');
`;

t.test('steering runs with a young generation that stays small, unless another size is chosen', async (t) => {
  const control = await startSteeringControl();
  t.teardown(() => control.close());
  const folder = await mkdtemp(join(tmpdir(), 'steering-'));
  await writeFile(join(folder, 'teller.mjs'), teller);
  const start = async (name: string, more: string, code?: string): Promise<string[]> => {
    const told = join(folder, name);
    const env = { TOLD: told, NODE_OPTIONS: `--import ${join(folder, 'teller.mjs')} ${more}` };
    const dataDir = join(folder, 'data');
    const steering = await startSteering({ dataDir, controlUrl: control.url, env, ...(code !== undefined && { code }) }); // prettier-ignore
    t.equal(await steering.stop(), 0);
    return (await readFile(told, 'utf8')).replaceAll(`${steering.pid} `, '').trimEnd().split('\n');
  };
  t.strictSame(
    await start('ours', '', control.code),
    ['', steadyHeapFlags.join(' ')],
    'the same process twice',
  );
  t.strictSame(await start('theirs', '--max-semi-space-size=32'), ['']);
  t.strictSame(await start('theirs too', '--max_semi_space_size=32'), [''], 'V8 takes either form');
  const may = ['fs-read=*', 'fs-write=*', 'worker', 'net', 'addons'].map((what) => `--allow-${what}`);
  t.strictSame(
    await start('none', `--permission ${may.join(' ')}`),
    [''],
    'it starts where it may not run itself anew',
  );
});
