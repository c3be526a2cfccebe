import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { askBox, startBox, type BoxProcess } from '../support/appliance/box-process.ts';
import { seededBytes, testBundle, testFile, testToken, type TestFile } from '../support/appliance/content.ts';
import { ControlDouble } from '../support/appliance/control-double.ts';
import { startSource } from '../support/appliance/fill-source.ts';
import { wanted } from '../support/appliance/filling-box.ts';
import { until } from '../support/appliance/raw-http.ts';
import { temporaryDirectory } from '../support/appliance/serving-box.ts';
import { hasHungChild, mountFreezable, type FrozenDisk } from '../support/frozen-disk.ts';

const mib = 1024 * 1024;
const diskBytes = 64 * mib;
t.setTimeout(240_000);

void t.test(
  'a disk that hangs in the kernel holds nobody: not those who serve, not the end, not a start',
  async (test) => {
    const well = await mountFreezable(test, diskBytes);
    const hung = await mountFreezable(test, diskBytes);
    if (typeof well === 'string') test.pass('hangs', { skip: well });
    else if (typeof hung === 'string') test.pass('hangs', { skip: hung });
    else await hang(test, { well, hung });
  },
);

async function hang(test: Test, { well, hung }: { well: FrozenDisk; hung: FrozenDisk }): Promise<void> {
  const control = new ControlDouble();
  await control.start();
  test.teardown(() => control.stop());
  const directory = await temporaryDirectory(test);
  const films = [1, 2, 3, 4, 5, 6].map((seed) => testFile(seededBytes(2 * mib + seed, seed)));
  const bundle = testBundle(films);
  const source = await startSource(test, { name: 'peer', files: [bundle, ...films] });
  control.waysOfAll = [source.way()];
  const configFile = join(directory, 'appliance.json');
  await writeFile(configFile, JSON.stringify({ disks: [well.path, hung.path] }));
  const dataDir = join(directory, 'data');
  const argv = [
    ...['--config', configFile, '--data-dir', dataDir, '--control-url', control.url, '--port', '0'],
    ...['--enrolment-code', control.code('box'), '--reserve-bytes', '0', '--workers', '2'],
    ...['--disk-slow-ms', '3000', '--drain-ms', '1000'],
  ];
  const box = await startBox(test, argv);
  await control.setManifest('box', 1, { files: wanted([bundle, ...films]) });
  const reasons = (of: BoxProcess): string => control.last(of.url)?.reasons.join('\n') ?? '';
  const serves = (of: BoxProcess): Promise<boolean> => servesAll(of, { control, bundle, films });
  await until(() => serves(box), 60_000);
  const onHung = await filesOn(hung.path);
  test.ok(onHung.length > 0 && onHung.length < 7, `${onHung.length} files are on the disk that will hang`);

  await hung.freeze();
  await until(() => hasHungChild(box.pid), 30_000);
  await until(() => reasons(box).includes('DISK_SLOW'), 30_000);
  await until(() => serves(box), 60_000);
  test.equal((await filesOn(well.path)).length, 7, 'what was lost was fetched anew');
  test.equal(await box.kill('SIGTERM'), 0, 'the box ends, whatever becomes of the process of the disk');

  const again = await startBox(test, argv);
  await until(() => serves(again), 30_000);
  test.match(reasons(again), /DISK_SLOW/, 'it is remembered');
  await hung.thaw();
  for (const name of await readdir(join(dataDir, 'quarantine'))) await rm(join(dataDir, 'quarantine', name));
  await until(() => control.last(again.url)?.reasons.length === 0, 60_000);
  test.ok(await serves(again));
  await again.kill('SIGTERM');
}

async function filesOn(path: string): Promise<string[]> {
  const names = await readdir(join(path, 'files'), { recursive: true });
  return names.filter((name) => name.length === 3 + 64);
}

/** Whether every film is served whole and right. */
async function servesAll(
  box: BoxProcess,
  { control, bundle, films }: { control: ControlDouble; bundle: TestFile; films: readonly TestFile[] },
): Promise<boolean> {
  const token = testToken(control.keys.tokens, { bundle: bundle.file });
  for (const film of films) {
    const answer = await askBox(`${box.url}/v1/${token}/${film.file}.mp4`);
    const bytes = Buffer.from(await answer.arrayBuffer());
    if (answer.status !== 200 || !bytes.equals(film.bytes)) return false;
  }
  return true;
}
