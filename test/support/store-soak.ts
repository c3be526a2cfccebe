import { mkdtemp, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { diskLayout, fileCostBytes } from '../../appliance/store/disk-layout.ts';
import { describeBytes } from '../../common/core/chunk-tree.ts';
import { askBox, startBox, type BoxProcess } from './appliance/box-process.ts';
import { seededBytes, testBundle, testFile, testToken, type TestFile } from './appliance/content.ts';
import { ControlDouble } from './appliance/control-double.ts';
import { startSource } from './appliance/fill-source.ts';
import { wanted } from './appliance/filling-box.ts';
import { cuttablePower, type CuttablePower, type Kept } from './appliance/power-cut.ts';
import { childrenOf, isAlive } from './appliance/serving-pool.ts';
import type { ProofOptions, ProofResult } from './proof.ts';
import { pick, seededRandom } from './seeded.ts';

const mib = 2 ** 20;
const filmsMax = 24;
/** Of the films so many are wanted at a time; the box has room for hardly more. */
const wantedFilms = 12;
const viewers = 4;
const settleMs = 60_000;
/** From so many rounds on it is the long form, of which times are asked. */
const longRounds = 100;
const lostMsMax = 2000;
/** A kill comes at most so long after the box is ready. */
const lifeMsMax = 1200;

interface Soak {
  readonly directory: string;
  readonly control: ControlDouble;
  readonly films: readonly TestFile[];
  readonly bundle: TestFile;
  readonly disks: readonly string[];
  readonly argv: readonly string[];
  readonly random: () => number;
  readonly counts: { answers: number; cut: number; spoilt: number; rounds: number; held: number };
  readonly failures: string[];
  readonly progress: (what: string) => void;
}

type Teardown = Parameters<typeof startBox>[0];

/** How the lives of a box end, one after the other. */
interface Ending {
  /** What the box is started by. */
  readonly by: readonly string[];
  readonly isPowerCut: boolean;
  /** Before each start. */
  begin(): Promise<void>;
  /** When all of its processes have ended. */
  end(): Promise<void>;
}

/** Kills a box `rounds` times while it fills, evicts, scrubs and serves, and compares its disks with what it says and serves. */
export function proveStore(options: ProofOptions): Promise<ProofResult> {
  const nothing = (): Promise<void> => Promise.resolve();
  const kill: Ending = { by: [], isPowerCut: false, begin: nothing, end: nothing };
  return withTeardown(async (t) => {
    const here = await prepare(t, options);
    await live(t, here, { rounds: options.rounds, ending: kill });
    const lostMs = here.failures.length === 0 ? await lose(t, here) : undefined;
    if (lostMs !== undefined && options.rounds >= longRounds && lostMs >= lostMsMax)
      here.failures.push(`what was on a lost disk was withdrawn after ${lostMs} ms`);
    if (options.rounds >= longRounds && here.counts.answers < options.rounds)
      here.failures.push('viewers were given so little that it says nothing');
    const lost = `Lost disk: ${lostMs ?? '-'} ms later a heartbeat had withdrawn all of its files`;
    return resultOf(here, [`Kills: ${here.counts.rounds}`], [lost]);
  });
}

/**
 * Cuts a box's power `rounds` times while it fills, evicts and serves: what it had not synced is gone, or is there in part.
 *
 * @returns why this machine cannot prove it, where it cannot.
 */
export function provePowerCuts(options: ProofOptions): Promise<ProofResult | string> {
  const { rounds } = options;
  return withTeardown(async (t) => {
    const here = await prepare(t, options);
    const power = await cuttablePower({ teardown: (done) => t.teardown(done) }, here.directory);
    if (typeof power === 'string') return power;
    await live(t, here, { rounds, ending: powerCuts(power, here.random) });
    return resultOf(here, [`Power cuts: ${here.counts.rounds}`], []);
  });
}

const keptOf: readonly Kept[] = ['none', 'some', 'some', 'all'];

function powerCuts(power: CuttablePower, random: () => number): Ending {
  return {
    ...{ by: power.by, isPowerCut: true, begin: () => power.begin() },
    end: () => power.cut(random, keptOf[pick(random, keptOf.length)] ?? 'none'),
  };
}

async function withTeardown<T>(work: (t: Teardown) => Promise<T>): Promise<T> {
  const teardowns: (() => Promise<unknown>)[] = [];
  try {
    return await work({ teardown: (done) => void teardowns.unshift(done) });
  } finally {
    for (const done of teardowns) await done();
  }
}

/** Lets the box live and end again and again, and then come to rest. */
async function live(
  t: Teardown,
  here: Soak,
  { rounds, ending }: { rounds: number; ending: Ending },
): Promise<void> {
  const { counts, failures, random } = here;
  for (let round = 1; round <= rounds && failures.length === 0; round++) {
    await want(here, round);
    const expected = await wholeOn(here);
    if (ending.isPowerCut) await checkContents(here, { expected, round });
    await ending.begin();
    const box = await start(t, here, ending.by);
    await checkHoldings(here, { box, expected, round });
    const over = new AbortController();
    const watching = Array.from({ length: viewers }, () => watch(here, box, over.signal));
    await sleep(random() * lifeMsMax);
    // A chunk list that has rotted: the scrub sends its file back.
    if (!ending.isPowerCut && random() < 0.3) await spoil(here);
    const processes = childrenOf(box.pid);
    await box.kill('SIGKILL');
    over.abort();
    await Promise.all(watching);
    await until(async () => !(await Promise.all(processes.map(isAlive))).includes(true));
    await ending.end();
    counts.rounds++;
    here.progress(
      `${ending.isPowerCut ? 'power cut' : 'kill'} ${round} of ${rounds}, ${counts.answers} answers`,
    );
  }
  if (failures.length === 0) await converge(t, here);
}

/** Starts the box; one that is not ready after a minute ends the proof. */
function start(t: Teardown, { argv }: Soak, by: readonly string[] = []): Promise<BoxProcess> {
  const late = sleep(settleMs, undefined, { ref: false }).then(() => {
    throw new Error(`the box is not ready after ${settleMs / 1000} s`);
  });
  return Promise.race([startBox(t, argv, by), late]);
}

function resultOf(
  { control, counts, failures }: Soak,
  first: readonly string[],
  last: readonly string[],
): ProofResult {
  const failed = control.outcomes.filter(({ outcome }) => outcome === 'failed').length;
  return {
    holds: failures.length === 0,
    lines: [
      ...first,
      `Answers that viewers got whole, each compared: ${counts.answers}; cut at an end: ${counts.cut}`,
      ...(counts.spoilt > 0 ? [`Chunk lists spoilt for the scrub to find: ${counts.spoilt}`] : []),
      `Files held in the end, each compared: ${counts.held}; refused or failed fills meanwhile: ${failed}`,
      ...last,
      ...failures,
    ],
  };
}

async function prepare(
  t: Teardown,
  { seed, progress = () => undefined }: Omit<ProofOptions, 'rounds'>,
): Promise<Soak> {
  const directory = await mkdtemp(join(tmpdir(), 'nearcast-store-soak-'));
  t.teardown(() => rm(directory, { recursive: true, force: true, maxRetries: 3 }));
  const control = new ControlDouble();
  await control.start();
  t.teardown(() => control.stop());
  const films = Array.from({ length: filmsMax }, (_, index) =>
    testFile(seededBytes(2 * mib + ((index * 977_777) % (6 * mib)), seed * 100 + index)),
  );
  const bundle = testBundle(films);
  const source = await startSource(
    { teardown: (done) => t.teardown(done) },
    { name: 'peer', files: [bundle, ...films] },
  );
  control.waysOfAll = [source.way()];
  const disks = ['d1', 'd2'].map((name) => join(directory, name));
  for (const path of disks) await mkdir(path);
  const sizes = films.map(({ bytes }) => fileCostBytes(bytes.length)).toSorted((a, b) => b - a);
  // Whatever is wanted fits, on either disk's half, and not much of what was wanted before.
  const capacityBytes = sizes.slice(0, wantedFilms + 4).reduce((sum, bytes) => sum + bytes, 0);
  const argv = [
    ...['--data-dir', join(directory, 'data'), '--disks', disks.join(), '--control-url', control.url],
    ...['--enrolment-code', control.code('box'), '--port', '0', '--reserve-bytes', '0', '--workers', '1'],
    ...['--capacity-bytes', String(capacityBytes), '--scrub-monthly-bytes', String(2 ** 47)],
  ];
  const counts = { answers: 0, cut: 0, spoilt: 0, rounds: 0, held: 0 };
  return {
    ...{ directory, control, films, bundle, disks, argv, random: seededRandom(seed), counts },
    ...{ failures: [], progress },
  };
}

/** Wants another dozen of the films every third round, so that a round goes on where the last one was cut, or evicts. */
async function want({ control, films, bundle }: Soak, round: number): Promise<void> {
  const first = Math.floor(round / 3) * 5;
  const chosen = Array.from({ length: wantedFilms }, (_, index) => films[(first + index) % films.length]!);
  await control.setManifest('box', round, { files: wanted([bundle, ...chosen]) });
}

/** What lies whole on the disks of a box: content and chunk list, of the lengths that they are to have. */
async function wholeOn({ disks, films, bundle }: Soak): Promise<Set<string>> {
  const known = new Map([bundle, ...films].map((film) => [film.file, film]));
  const whole = new Set<string>();
  for (const disk of disks) {
    const names = await readdir(join(disk, 'files'), { recursive: true }).catch(() => []);
    const back = new Set(await readdir(join(disk, 'partial')).catch(() => []));
    for (const name of names) {
      const film = known.get(name.slice(3));
      if (film === undefined || ['', '.chunks', '.map'].every((end) => back.has(film.file + end))) continue;
      const path = join(disk, 'files', name);
      // What a box that runs has evicted since the listing is not held.
      const [content, list] = await Promise.all(
        [path, `${path}.chunks`].map((one) => stat(one).catch(() => undefined)),
      );
      if (content?.size === film.bytes.length && list?.size === film.descriptor.length) whole.add(film.file);
    }
  }
  return whole;
}

/** What is whole by its lengths is right, too: nothing was renamed into place before its bytes were durable. */
async function checkContents(
  { disks, films, bundle, failures }: Soak,
  { expected, round }: { expected: ReadonlySet<string>; round: number },
): Promise<void> {
  for (const { file, bytes } of [bundle, ...films]) {
    if (!expected.has(file)) continue;
    for (const disk of disks) {
      const content = await readFile(diskLayout(disk).content(file)).catch(() => undefined);
      if (content?.equals(bytes) === false)
        failures.push(`round ${round}: ${file} lies on ${disk} with other bytes`);
    }
  }
}

/** What a start holds is what lies whole on its disks: it tells of it, or has evicted it since. */
async function checkHoldings(
  here: Soak,
  { box, expected, round }: { box: BoxProcess; expected: ReadonlySet<string>; round: number },
): Promise<void> {
  const { control, failures } = here;
  const held = (): Set<string> => {
    const told = new Set<string>();
    for (const { url, holdings } of control.heartbeats) {
      if (url !== box.url) continue;
      for (const file of holdings.removed) told.delete(file);
      for (const file of holdings.added) told.add(file);
    }
    return told;
  };
  await until(() => control.heartbeats.some(({ url }) => url === box.url));
  const early = [...held()].filter((file) => !expected.has(file));
  const isSame = await until(async () => {
    const [whole, told] = [await wholeOn(here), held()];
    return [...expected].every((file) => told.has(file) === whole.has(file));
  });
  if (!isSame) failures.push(`round ${round}: what is held is not what lies whole on the disks`);
  if (early.length > wantedFilms)
    failures.push(`round ${round}: ${early.length} files are held that were not there`);
}

/** Asks for random films until it is over. What comes whole must be right. */
async function watch(here: Soak, box: BoxProcess, over: AbortSignal): Promise<void> {
  const { control, films, bundle, counts, failures, random } = here;
  const token = testToken(control.keys.tokens, { bundle: bundle.file });
  while (!over.aborted) {
    const film = films[pick(random, films.length)]!;
    try {
      const answer = await askBox(`${box.url}/v1/${token}/${film.file}.mp4`, { signal: over });
      const body = Buffer.from(await answer.arrayBuffer());
      if (answer.status !== 200) continue;
      counts.answers++;
      if (!body.equals(film.bytes)) failures.push(`${film.file}: a viewer got other bytes`);
    } catch {
      counts.cut++;
    }
  }
}

async function spoil({ disks, random, counts }: Soak): Promise<void> {
  const disk = disks[pick(random, disks.length)]!;
  const names = await readdir(join(disk, 'files'), { recursive: true });
  const lists = names.filter((name) => name.endsWith('.chunks'));
  const victim = lists[pick(random, lists.length)];
  if (victim === undefined) return;
  const handle = await open(join(disk, 'files', victim), 'r+').catch(() => undefined);
  await handle?.write(Buffer.from('rot'), 0, 3, 30);
  await handle?.close();
  counts.spoilt++;
}

/** Left alone, the box comes to hold what is wanted, and all that it holds is right. */
async function converge(t: Teardown, here: Soak): Promise<void> {
  const { control, films, bundle, disks, counts, failures } = here;
  const chosen = [bundle, ...films.slice(0, wantedFilms)];
  await control.setManifest('box', 1_000_000, { files: wanted(chosen) });
  const box = await start(t, here);
  const isDone = async (): Promise<boolean> => {
    const whole = await wholeOn(here);
    return chosen.every(({ file }) => whole.has(file));
  };
  if (!(await until(isDone))) failures.push('what is wanted is not held in the end');
  await box.kill('SIGTERM');
  for (const disk of disks) {
    for (const name of await readdir(join(disk, 'files'), { recursive: true })) {
      if (name.length !== 67) continue;
      const bytes = await readFile(join(disk, 'files', name));
      counts.held++;
      if (describeBytes(bytes).file !== name.slice(3)) failures.push(`${name} holds other bytes`);
    }
    const left = await readdir(join(disk, 'partial'));
    if (left.length > 0) failures.push(`${left.join(', ')} is left on ${disk}`);
  }
}

/** A disk vanishes. @returns how many milliseconds later a heartbeat has told that all that was on it is gone. */
async function lose(t: Teardown, here: Soak): Promise<number | undefined> {
  const { control, disks, failures } = here;
  const [lost = ''] = disks;
  const box = await start(t, here);
  await until(() => (control.last(box.url)?.holdings.added.length ?? 0) > 0);
  const names = await readdir(join(lost, 'files'), { recursive: true });
  const files = names.filter((name) => name.length === 67).map((name) => name.slice(3));
  if (files.length === 0) failures.push('the disk that is to be lost holds nothing');
  const startedMs = performance.now();
  await rename(lost, `${lost}.gone`);
  const isTold = await until(() => {
    const removed = new Set(
      control.heartbeats.filter(({ url }) => url === box.url).flatMap(({ holdings }) => holdings.removed),
    );
    return files.every((file) => removed.has(file));
  });
  const tookMs = Math.round(performance.now() - startedMs);
  if (!isTold) failures.push('what was on a lost disk was not withdrawn');
  await box.kill('SIGKILL');
  return isTold ? tookMs : undefined;
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<boolean> {
  const endMs = performance.now() + settleMs;
  while (performance.now() < endMs) {
    if (await isSo()) return true;
    await sleep(20);
  }
  return false;
}
