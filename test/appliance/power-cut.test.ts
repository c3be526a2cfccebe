import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { promisify } from 'node:util';

import { askBox, startBox } from '../support/appliance/box-process.ts';
import { seededBytes, testBundle, testFile, testToken } from '../support/appliance/content.ts';
import { ControlDouble } from '../support/appliance/control-double.ts';
import { startSource } from '../support/appliance/fill-source.ts';
import { wanted } from '../support/appliance/filling-box.ts';
import { cuttablePower, type CuttablePower } from '../support/appliance/power-cut.ts';
import { until } from '../support/appliance/raw-http.ts';
import { temporaryDirectory } from '../support/appliance/serving-box.ts';
import { childrenOf, isAlive } from '../support/appliance/serving-pool.ts';
import { provePowerCuts } from '../support/store-soak.ts';

const run = promisify(execFile);
const mib = 1024 * 1024;
t.setTimeout(300_000);

/** A test with a directory whose power can be cut; skipped, with the reason, where none can be made. */
function onCuttablePower(
  name: string,
  body: (test: Test, at: { root: string; power: CuttablePower }) => Promise<void>,
): void {
  void t.test(name, async (test) => {
    const root = await temporaryDirectory(test);
    const power = await cuttablePower(test, root);
    if (typeof power === 'string') test.pass(name, { skip: power });
    else await body(test, { root, power });
  });
}

/** Syncs some of what it does, and not the rest. */
const careless = `
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs';
const at = (name) => process.argv[1] + '/' + name;
const sync = (name) => { const fd = openSync(at(name), 'r'); fsyncSync(fd); closeSync(fd); };
writeFileSync(at('synced'), 'synced'); sync('synced');
writeFileSync(at('empty'), 'lost with its bytes');
writeFileSync(at('draft'), 'draft'); sync('draft');
renameSync(at('draft'), at('final'));
rmSync(at('deleted'));
sync('');
const fd = openSync(at('grown'), 'r+');
writeSync(fd, 'not synced', 4096);
mkdirSync(at('folder'));
writeFileSync(at('folder/nameless'), 'synced without its name'); sync('folder/nameless');
renameSync(at('final'), at('renamed'));
`;

onCuttablePower(
  'what was synced is there after a power cut, and nothing else',
  async (test, { root, power }) => {
    const files = async (): Promise<Record<string, string>> => {
      const names = await readdir(root);
      return Object.fromEntries(
        await Promise.all(
          names.map(async (name) => [name, await readFile(join(root, name), 'utf8')] as const),
        ),
      );
    };
    const [command = '', ...by] = power.by;
    const before = { deleted: 'deleted', grown: 'x'.repeat(5000) };
    for (const [name, text] of Object.entries(before)) await writeFile(join(root, name), text);
    await power.begin();
    await run(command, [...by, process.execPath, '--input-type=module', '-e', careless, root]);
    await power.cut(Math.random, 'none');
    test.same(await files(), { grown: before.grown, synced: 'synced', empty: '', final: 'draft' });
    await power.begin();
    await run(command, [
      ...by,
      process.execPath,
      '-e',
      "fs.appendFileSync(process.argv[1] + '/grown', 'more')",
      root,
    ]);
    await power.cut(Math.random, 'all');
    test.equal((await files())['grown'], `${before.grown}more`);
  },
);

onCuttablePower(
  'what a box has announced it holds after a power cut, and serves it, without asking for it again',
  async (test, { root, power }) => {
    const control = new ControlDouble();
    await control.start();
    test.teardown(() => control.stop());
    const disks = ['d1', 'd2'].map((name) => join(root, name));
    for (const path of disks) await mkdir(path);
    const films = [1, 2, 3, 4].map((seed) => testFile(seededBytes(2 * mib + seed, seed)));
    const bundle = testBundle(films);
    const all = [bundle, ...films];
    const source = await startSource(test, { name: 'peer', files: all });
    control.waysOfAll = [source.way()];
    await control.setManifest('box', 1, { files: wanted(all) });
    const argv = [
      ...['--data-dir', join(root, 'data'), '--disks', disks.join(), '--control-url', control.url],
      ...['--enrolment-code', control.code('box'), '--port', '0', '--reserve-bytes', '0', '--workers', '1'],
    ];
    const announced = (url: string): Set<string> =>
      new Set(
        control.heartbeats.flatMap((heartbeat) => (heartbeat.url === url ? heartbeat.holdings.added : [])),
      );
    await power.begin();
    const box = await startBox(test, argv, power.by);
    await until(() => announced(box.url).size === all.length, 60_000);
    const processes = childrenOf(box.pid);
    await box.kill('SIGKILL');
    await until(async () => !(await Promise.all(processes.map(isAlive))).includes(true));
    await power.cut(Math.random, 'none');
    source.asked.length = 0;
    await control.stop();
    const again = await startBox(test, argv);
    const token = testToken(control.keys.tokens, { bundle: bundle.file });
    for (const { file, bytes } of films) {
      await until(async () => {
        const answer = await askBox(`${again.url}/v1/${token}/${file}.mp4`);
        const body = Buffer.from(await answer.arrayBuffer());
        return answer.status === 200 && body.equals(bytes);
      });
    }
    await control.start();
    await until(() => announced(again.url).size === all.length, 30_000);
    test.same(source.asked, []);
  },
);

void t.test(
  'power cut at any moment: what a box holds and serves is right, and it fills on',
  async (test) => {
    const result = await provePowerCuts({ seed: 1, rounds: 3 });
    if (typeof result === 'string') test.pass('it is', { skip: result });
    else test.ok(result.holds, result.lines.join('\n'));
  },
);
