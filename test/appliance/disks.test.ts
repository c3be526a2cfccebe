import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { askBox, startBox, type BoxProcess } from '../support/appliance/box-process.ts';
import { seededBytes, testBundle, testFile, testToken, type TestFile } from '../support/appliance/content.ts';
import { ControlDouble } from '../support/appliance/control-double.ts';
import { faultyIo, type FaultyIo } from '../support/appliance/faulty-io.ts';
import { startSource, type FillSource } from '../support/appliance/fill-source.ts';
import { wanted } from '../support/appliance/filling-box.ts';
import { until } from '../support/appliance/raw-http.ts';
import { temporaryDirectory } from '../support/appliance/serving-box.ts';

const mib = 1024 * 1024;
t.setTimeout(300_000);

interface World {
  readonly control: ControlDouble;
  readonly disks: readonly string[];
  readonly configFile: string;
  readonly source: FillSource;
  readonly films: readonly TestFile[];
  readonly bundle: TestFile;
  readonly argv: readonly string[];
}

/** A box of two disks that is to hold six films. */
async function world(test: Test): Promise<World> {
  const control = new ControlDouble();
  await control.start();
  test.teardown(() => control.stop());
  const directory = await temporaryDirectory(test);
  const disks = ['d1', 'd2', 'd3'].map((name) => join(directory, name));
  for (const path of disks) await mkdir(path);
  const films = [1, 2, 3, 4, 5, 6].map((seed) => testFile(seededBytes(2 * mib + seed, seed)));
  const bundle = testBundle(films);
  const source = await startSource(test, { name: 'peer', files: [bundle, ...films] });
  control.waysOfAll = [source.way()];
  const configFile = join(directory, 'appliance.json');
  await writeConfig(configFile, { disks: disks.slice(0, 2) });
  const argv = [
    ...['--config', configFile, '--data-dir', join(directory, 'data'), '--control-url', control.url],
    ...['--enrolment-code', control.code('box'), '--port', '0', '--reserve-bytes', '0', '--workers', '2'],
  ];
  return { control, disks, configFile, source, films, bundle, argv };
}

function writeConfig(path: string, config: { disks: string[]; drainDisks?: string[] }): Promise<void> {
  return writeFile(path, JSON.stringify(config));
}

/** Starts the box and has it filled. */
async function filled(test: Test, here: World, by?: readonly string[]): Promise<BoxProcess> {
  const box = await startBox(test, here.argv, by);
  await here.control.setManifest('box', 1, { files: wanted([here.bundle, ...here.films]) });
  await until(() => heldOf(here).size === 7, 60_000);
  return box;
}

/** What the control plane knows of the holdings. */
function heldOf({ control }: World): Set<string> {
  const held = new Set<string>();
  for (const { holdings } of control.heartbeats) {
    if (holdings.full) held.clear();
    for (const file of holdings.removed) held.delete(file);
    for (const file of holdings.added) held.add(file);
  }
  return held;
}

async function filesOn(path: string): Promise<string[]> {
  // A disk that has just come may not have been opened yet.
  const names = await readdir(join(path, 'files'), { recursive: true }).catch(() => []);
  return names.map((name) => name.slice(3)).filter((name) => name.length === 64);
}

function reasonsOf({ control }: World, box: BoxProcess): string {
  return control.last(box.url)?.reasons.join('\n') ?? '';
}

/** Asks for a film as a player does: again for a while where the box is too busy, which on a machine of many tests it may be. */
async function isServed({ control, bundle }: World, box: BoxProcess, film: TestFile): Promise<boolean> {
  const token = testToken(control.keys.tokens, { bundle: bundle.file });
  let answer: Response | undefined;
  await until(async () => {
    answer = await askBox(`${box.url}/v1/${token}/${film.file}.mp4`);
    if (answer.status !== 429) return true;
    await answer.arrayBuffer();
    return false;
  });
  return answer?.status === 200 && Buffer.from(await answer.arrayBuffer()).equals(film.bytes);
}

/** A test with disks that break when told to; skipped, with the reason, where none can be made. */
function onFaultyDisks(name: string, body: (test: Test, faults: FaultyIo) => Promise<void>): void {
  void t.test(name, async (test) => {
    const faults = await faultyIo(test);
    if (typeof faults === 'string') test.pass(name, { skip: faults });
    else await body(test, faults);
  });
}

onFaultyDisks(
  'a disk that answers with errors is out at once; only its files are fetched again, onto the other',
  async (test, faults) => {
    const here = await world(test);
    const box = await filled(test, here, faults.by);
    const [one = '', two = ''] = here.disks;
    const lost = await filesOn(two);
    const kept = await filesOn(one);
    test.ok(lost.length >= 2 && kept.length >= 2, `${kept.length} and ${lost.length} files`);
    here.source.asked.length = 0;
    const count = here.control.heartbeats.length;
    await faults.fail('write', `${two}/`);
    const tells = (): boolean =>
      here.control.heartbeats
        .slice(count)
        .some(({ holdings }) => lost.every((file) => holdings.removed.includes(file)));
    await until(tells, 30_000);
    test.match(reasonsOf(here, box), /^DISK_FAILED: .*d2: /m);
    await until(() => heldOf(here).size === 7, 60_000);
    const told = here.control.heartbeats.slice(count).map(({ holdings }) => holdings);
    const ofLost = told.find(({ added, removed }) =>
      lost.some((file) => [...added, ...removed].includes(file)),
    );
    test.same(
      ofLost?.removed.toSorted(),
      lost.toSorted(),
      'withdrawn all at once, before any is fetched again',
    );
    test.same(ofLost?.added, []);
    const films = new Set(here.films.map(({ file }) => file));
    test.same(here.source.asked.toSorted(), lost.toSorted(), 'what the other disk has is not fetched again');
    test.equal((await filesOn(one)).length, 7);
    for (const film of here.films) test.ok(films.has(film.file) && (await isServed(here, box, film)));
    await box.kill('SIGTERM');

    // Mended, and remembered all the same.
    await faults.mend();
    const again = await startBox(test, here.argv);
    await until(() => reasonsOf(here, again).includes('DISK_FAILED'), 30_000);
    const quarantine = join(here.disks[0]!, '..', 'data', 'quarantine');
    for (const name of await readdir(quarantine)) await rm(join(quarantine, name));
    await until(() => here.control.last(again.url)?.reasons.length === 0, 30_000);
    await until(async () => (await filesOn(two)).length === 0, 30_000);
  },
);

onFaultyDisks(
  'a file whose bytes a disk does not give is fetched anew; three of them, and the disk is out',
  async (test, faults) => {
    const here = await world(test);
    const box = await filled(test, here, faults.by);
    const on = await filesOn(here.disks[1]!);
    const [bad, ...others] = here.films.filter(({ file }) => on.includes(file));
    const path = (film: TestFile): string => join(here.disks[1]!, 'files', film.file.slice(0, 2), film.file);
    await faults.fail('read', path(bad!));
    // Mended as soon as it is met: the file may be back at once, and lost three times it would take the disk along.
    const isMet = (): boolean => box.lines.some((line) => line.includes('cannot be read as it was written'));
    while (!isMet()) {
      if ((await fetchQuietly(here, box, bad!)) === 429) continue;
      await until(isMet, 30_000);
    }
    await faults.mend();
    await until(() => isServed(here, box, bad!), 60_000);
    test.equal(reasonsOf(here, box), '');
    // As long as only bytes are asked for that the disk does not give, it can be written.
    await faults.fail('read', join(here.disks[1]!, 'files'));
    await until(async () => {
      for (const film of [bad!, ...others]) await fetchQuietly(here, box, film);
      return reasonsOf(here, box).includes('DISK_FAILED');
    }, 60_000);
    await until(() => heldOf(here).size === 7, 60_000);
  },
);

for (const hasBundle of [false, true]) {
  const which = hasBundle ? 'with' : 'without';
  onFaultyDisks(
    `a disk ${which} what tokens are checked by hangs: out after its time, the other serves`,
    (test, faults) => hang(test, faults, hasBundle),
  );
}

async function hang(test: Test, faults: FaultyIo, hasBundle: boolean): Promise<void> {
  const here = await world(test);
  const box = await filled(test, { ...here, argv: [...here.argv, '--disk-slow-ms', '1500'] }, faults.by);
  const isOnFirst = (await filesOn(here.disks[0]!)).includes(here.bundle.file);
  const two = here.disks.slice(0, 2);
  const [hung = '', well = ''] = isOnFirst === hasBundle ? two : two.toReversed();
  const kept = await filesOn(well);
  const film = here.films.find(({ file }) => kept.includes(file));
  await faults.fail('hang', `${hung}/`);
  const isOut = (): boolean => reasonsOf(here, box).includes('DISK_SLOW');
  if (hasBundle) await until(isOut, 60_000);
  else {
    await until(async () => {
      test.ok(await isServed(here, box, film!));
      return isOut();
    }, 60_000);
  }
  await until(() => heldOf(here).size === 7, 60_000);
  for (const each of here.films) test.ok(await isServed(here, box, each));
  await box.kill('SIGKILL');
}

void t.test(
  'a disk is added by SIGHUP, another emptied and taken out, and nobody misses a file',
  async (test) => {
    const here = await world(test);
    const box = await filled(test, here);
    const [one = '', two = '', three = ''] = here.disks;
    here.source.asked.length = 0;
    await writeConfig(here.configFile, { disks: [one, two, three], drainDisks: [two] });
    process.kill(box.pid, 'SIGHUP');
    await until(async () => reasonsOf(here, box).includes('DISK_DRAINED'), 60_000);
    test.same(await filesOn(two), []);
    test.equal((await filesOn(one)).length + (await filesOn(three)).length, 7);
    await writeConfig(here.configFile, { disks: [one, three] });
    process.kill(box.pid, 'SIGHUP');
    await until(() => reasonsOf(here, box) === '', 30_000);
    for (const film of here.films) test.ok(await isServed(here, box, film));
    test.same(here.source.asked, [], 'nothing was fetched for it');
    test.equal(heldOf(here).size, 7);
    await writeFile(here.configFile, 'not JSON');
    process.kill(box.pid, 'SIGHUP');
    await until(() => box.lines.some((line) => line.includes('the disks stay as they are')));
    test.ok(await isServed(here, box, here.films[0]!));
  },
);

/** Asks for a film and takes whatever comes. */
/** Asks for a film, however that ends. @returns the status, if there was one. */
async function fetchQuietly(
  { control, bundle }: World,
  box: BoxProcess,
  film: TestFile,
): Promise<number | undefined> {
  const token = testToken(control.keys.tokens, { bundle: bundle.file });
  const address = `${box.url}/v1/${token}/${film.file}.mp4`;
  const answer = await askBox(address).catch(() => undefined);
  await answer?.arrayBuffer().catch(() => undefined);
  return answer?.status;
}
