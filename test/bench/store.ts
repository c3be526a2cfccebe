// `./dev bench store`: how long a box that holds very many files takes from the start of its process to its first answer, and how long
// steering goes on leading viewers to what was on a disk that has vanished.
//
// Figures: store.restart.seconds, store.lost.seconds. Nothing else does the same, so they are measured against their limits.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';

import { lessIsBetter, median, runBench, type BenchReport, type Figure } from '../support/bench.ts';
import { boxArgv, startProgram } from '../support/appliance/box-process.ts';
import { compileAppliance } from '../support/appliance/compiled-appliance.ts';
import { testBundle, testFile, testToken, type TestFile } from '../support/appliance/content.ts';
import { ControlDouble } from '../support/appliance/control-double.ts';
import { layFiles } from '../support/appliance/lay-files.ts';
import { measureLostDisk } from './store/lost.ts';

const limitSeconds = 2;
const retryMs = 5;
const answerMsMax = 120_000;

/** Small files, whole on the disk, in no index yet; and a bundle with one of them. */
async function makeFiles(root: string, count: number): Promise<{ bundle: TestFile; asked: TestFile }> {
  const asked = testFile(Buffer.from('the file that is asked for'));
  const bundle = testBundle([asked]);
  await layFiles(root, [asked, bundle]);
  await layFiles(root, smallFiles(count - 2));
  return { bundle, asked };
}

function* smallFiles(count: number): Generator<TestFile> {
  for (let number = 0; number < count; number++) yield testFile(Buffer.from(`file ${number}`));
}

/** The status of an answer; undefined where there is none. */
function statusOf(url: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    request(url, { agent: false }, (response) => {
      response.resume().once('end', () => {
        resolve(response.statusCode);
      });
    })
      .once('error', () => {
        resolve(undefined);
      })
      .end();
  });
}

/** Starts the box, waits for its first answer and ends it. @returns seconds. */
async function startOnce(command: readonly string[], pathOf: () => string): Promise<number> {
  const stops: (() => Promise<unknown>)[] = [];
  const startedMs = performance.now();
  const elapsedMs = (): number => performance.now() - startedMs;
  const box = await startProgram({ teardown: (stop) => stops.push(stop) }, command);
  try {
    while ((await statusOf(box.url + pathOf())) !== 200) {
      if (elapsedMs() > answerMsMax) throw new Error('the box does not answer');
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
    return elapsedMs() / 1000;
  } finally {
    await box.kill('SIGTERM');
    await Promise.all(stops.map((stop) => stop()));
  }
}

/** Restarts of the box, as its package holds it. @returns seconds, one for each. */
async function measureRestarts(
  directory: string,
  { count, rounds }: { count: number; rounds: number },
): Promise<number[]> {
  const control = new ControlDouble();
  await control.start();
  try {
    const { bundle, asked } = await makeFiles(join(directory, 'box'), count);
    const program = await compileAppliance(join(directory, 'program'));
    const command = [process.execPath, program, ...(await boxArgv({ control, directory }))];
    const token = (): string => testToken(control.keys.tokens, { bundle: bundle.file });
    const pathOf = (): string => `/v1/${token()}/${asked.file}.${asked.ext}`;
    // It enrols and makes its index of the files.
    await startOnce(command, pathOf);
    const seconds: number[] = [];
    for (let round = 0; round < rounds; round++) seconds.push(await startOnce(command, pathOf));
    return seconds;
  } finally {
    await control.stop();
  }
}

function figureOf(name: string, seconds: readonly number[]): Figure {
  const limit = { peer: 'limit', theirs: limitSeconds, unit: 's', goal: 1 };
  return lessIsBetter({ name, ours: median(seconds), ...limit });
}

function rowOf(what: string, seconds: readonly number[]): string[] {
  const [least, most] = [Math.min(...seconds), Math.max(...seconds)];
  return [
    ...[what, `${seconds.length}`, `${median(seconds).toFixed(2)} s`],
    `${least.toFixed(2)} … ${most.toFixed(2)} s`,
  ];
}

await runBench('store', async ({ quick, wants }): Promise<BenchReport> => {
  const count = quick ? 20_000 : 100_000;
  // Not /tmp, which may be memory.
  const directory = await mkdtemp(join('/var/tmp', 'nearcast-bench-store-'));
  const measured = new Map<string, number[]>();
  try {
    if (wants('store.restart.seconds')) {
      const seconds = await measureRestarts(directory, { count, rounds: quick ? 3 : 7 });
      measured.set('restart', seconds);
    }
    if (wants('store.lost.seconds')) {
      const lost = join(directory, 'lost');
      await mkdir(lost);
      measured.set('lost', await measureLostDisk(lost, quick ? 3 : 7));
    }
    return {
      figures: [...measured].map(([what, seconds]) => figureOf(`store.${what}.seconds`, seconds)),
      notes: [
        `Restart: from the start of the process until one of ${count} held files is answered with 200. The program is compiled as it is in the package; it has as many workers as the machine has processors.`,
        'Lost: from the moment in which a disk vanishes until a steering node, to which the control plane tells it, offers the box no more for what was on it.',
      ],
      details: {
        head: ['what', 'rounds', 'median', 'min … max'],
        rows: [...measured].map(([what, seconds]) => rowOf(what, seconds)),
      },
    };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
