// `./dev bench store`: how long a box that holds very many files takes from the start of its process to its first answer.
//
// Figure: store.restart.seconds. Nothing else does the same, so it is measured against its limit.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';

import { diskLayout } from '../../appliance/store/disk-layout.ts';
import { lessIsBetter, median, runBench, type BenchReport } from '../support/bench.ts';
import { boxArgv, startBox } from '../support/appliance/box-process.ts';
import { testBundle, testFile, testToken, type TestFile } from '../support/appliance/content.ts';
import { ControlDouble } from '../support/appliance/control-double.ts';

const limitSeconds = 2;
const retryMs = 5;
const answerMsMax = 120_000;

/** Small files, whole on the disk, in no index yet; and a bundle with one of them. */
async function makeFiles(root: string, count: number): Promise<{ bundle: TestFile; asked: TestFile }> {
  const layout = diskLayout(root);
  const put = async ({ file, bytes, descriptor }: TestFile): Promise<void> => {
    await writeFile(layout.descriptor(file), descriptor);
    await writeFile(layout.content(file), bytes);
  };
  for (let folder = 0; folder < 256; folder++)
    await mkdir(layout.folder(folder.toString(16).padStart(2, '0')), { recursive: true });
  const asked = testFile(Buffer.from('the file that is asked for'));
  const bundle = testBundle([asked]);
  for (const file of [asked, bundle]) await put(file);
  const atOnce = 64;
  for (let from = 2; from < count; from += atOnce) {
    const numbers = Array.from({ length: Math.min(atOnce, count - from) }, (_, index) => from + index);
    await Promise.all(numbers.map((number) => put(testFile(Buffer.from(`file ${number}`)))));
  }
  return { bundle, asked };
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
async function startOnce(argv: readonly string[], pathOf: () => string): Promise<number> {
  const stops: (() => Promise<unknown>)[] = [];
  const startedMs = performance.now();
  const elapsedMs = (): number => performance.now() - startedMs;
  const box = await startBox({ teardown: (stop) => stops.push(stop) }, argv);
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

await runBench('store', async ({ quick }): Promise<BenchReport> => {
  const count = quick ? 20_000 : 100_000;
  // Not /tmp, which may be memory.
  const directory = await mkdtemp(join('/var/tmp', 'nearcast-bench-store-'));
  const control = new ControlDouble();
  await control.start();
  try {
    const { bundle, asked } = await makeFiles(join(directory, 'box'), count);
    const argv = await boxArgv({ control, directory });
    const token = (): string => testToken(control.keys.tokens, { bundle: bundle.file });
    const pathOf = (): string => `/v1/${token()}/${asked.file}.${asked.ext}`;
    // It enrols and makes its index of the files.
    await startOnce(argv, pathOf);
    const seconds: number[] = [];
    for (let round = 0; round < (quick ? 3 : 7); round++) seconds.push(await startOnce(argv, pathOf));
    const [ours, peer] = [median(seconds), 'limit'];
    return {
      figures: [
        lessIsBetter({ name: 'store.restart.seconds', ours, peer, theirs: limitSeconds, unit: 's', goal: 1 }),
      ],
      notes: [
        `From the start of the process until one of ${count} held files is answered with 200. The box has as many workers as the machine has processors.`,
      ],
      details: {
        head: ['restarts', 'median', 'min … max'],
        rows: [
          [
            `${seconds.length}`,
            `${ours.toFixed(2)} s`,
            `${Math.min(...seconds).toFixed(2)} … ${Math.max(...seconds).toFixed(2)} s`,
          ],
        ],
      },
    };
  } finally {
    await control.stop();
    await rm(directory, { recursive: true, force: true });
  }
});
