import { writeFile } from 'node:fs/promises';

import type { FillOutcome } from '../../../common/contract/fill.ts';
import { startBox, type BoxProcess } from '../../support/appliance/box-process.ts';
import { testToken } from '../../support/appliance/content.ts';
import { ControlDouble } from '../../support/appliance/control-double.ts';
import { until } from '../../support/appliance/raw-http.ts';
import { linkStore, type Content, type ContentFile } from '../serve/content.ts';
import { processTree } from '../serve/server.ts';
import { cpuSeconds } from './cpu.ts';

/** How one download of a file went. */
export interface Run {
  readonly bytes: number;
  /** Until the file is whole, verified where that is done, and durable. */
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** How many gave some of it. */
  readonly sources: number;
}

/** Peers that hold everything, and one box to be filled from them: whole processes, as they are installed. */
export interface Boxes {
  /** Where each peer gives a file, for whoever downloads it by itself. */
  urls(file: ContentFile): string[];
  /** Has the box fill itself with this file alone, from that many peers; the file before it goes. */
  fill(file: ContentFile, peers: number): Promise<Run>;
  stop(): Promise<void>;
}

const fillMsMax = 300_000;

/** Starts them all, at one control plane that lives in this process. */
export async function startBoxes(content: Content, options: { peers: number }): Promise<Boxes> {
  const stops: (() => Promise<unknown>)[] = [];
  const control = new ControlDouble();
  await control.start();
  const start = async (name: string, argv: readonly string[]): Promise<BoxProcess> => {
    const directory = await content.newDirectory(name);
    if (name !== 'box') await linkStore(content, directory);
    const codeFile = `${directory}.code`;
    await writeFile(codeFile, `${control.code(name)}\n`);
    return startBox({ teardown: (done) => stops.push(done) }, [
      ...['--data-dir', directory, '--control-url', control.url, '--enrolment-code-file', codeFile],
      ...['--port', '0', '--reserve-bytes', '0', '--workers', '1', ...argv],
    ]);
  };
  const { bundle, files } = content;
  const peers: BoxProcess[] = [];
  for (let number = 1; number <= options.peers; number++) {
    const name = `peer-${number}`;
    await control.setManifest(name, 1, { files: files.map((file) => ({ ...file, bundle })) });
    peers.push(await start(name, []));
  }
  // Room for one file and a half: the next one takes the place of the last.
  const largest = Math.max(...files.map(({ sizeBytes }) => sizeBytes));
  const box = await start('box', ['--capacity-bytes', `${Math.round(largest * 1.5)}`]);
  const bases = (token: string): string[] => peers.map(({ url }) => `${url}/v1/${token}/`);
  const fillBases = bases(testToken(control.keys.tokens, { scope: 'fill', appliance: 'box' }));
  // A busy machine refuses fills before viewers, and the tools do not come back as a fill does.
  const playBases = bases(testToken(control.keys.tokens, { bundle }));
  let sequence = 1;
  return {
    urls: ({ file, ext }) => playBases.map((base) => `${base}${file}.${ext}`),
    async fill(file, count) {
      control.waysOfAll = fillBases
        .slice(0, count)
        .map((base, at) => ({ kind: 'peer', node: `peer-${at + 1}`, base, waitMs: 0 }));
      control.outcomes.length = 0;
      const cpuBefore = await cpuSeconds(await processTree(box.pid));
      await control.setManifest('box', ++sequence, { files: [{ ...file, bundle }] });
      await until(() => control.outcomes.length > 0, fillMsMax);
      const cpuAfter = await cpuSeconds(await processTree(box.pid));
      return { ...timesOf(control.outcomes[0]), cpuSeconds: cpuAfter - cpuBefore };
    },
    async stop() {
      await Promise.all(stops.map((stop) => stop()));
      await control.stop();
    },
  };
}

function timesOf(outcome: FillOutcome | undefined): Omit<Run, 'cpuSeconds'> {
  if (outcome?.outcome !== 'held') throw new Error(`the fill failed: ${JSON.stringify(outcome)}`);
  const { sizeBytes, bytesBySource, startedAtMs, endedAtMs } = outcome;
  return { bytes: sizeBytes, seconds: (endedAtMs - startedAtMs) / 1000, sources: bytesBySource.length };
}
