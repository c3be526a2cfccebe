// `./dev bench fill`: how fast and at what cost in processor time a box is filled, from one peer and from four, beside curl
// and aria2c that download the same bytes from the same peers. All take turns; every file ends durable on the same disk.
//
// Figures: fill.rate.1source and fill.rate.4peers (MB/s), fill.cpu (CPU seconds per GB). Needs curl, aria2c, ip, unshare.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pipeline } from 'node:stream/promises';

import { lessIsBetter, median, moreIsBetter, runBench, type BenchReport } from '../support/bench.ts';
import { startBoxes, type Boxes, type Run } from './fill/boxes.ts';
import { byAria2, byCurl, toolVersions } from './fill/tools.ts';
import { makeContent, type Content, type ContentFile } from './serve/content.ts';
import { enterOwnNetwork } from './serve/network.ts';

const network = enterOwnNetwork();
const peersMax = 4;
/** Writeback of one turn is not to be paid by the next. */
const restMs = 300;

type Turn = (file: ContentFile) => Promise<Run>;

/** Who takes turns: ours and the tools, from one source and from four. */
async function turnsOf(content: Content, boxes: Boxes): Promise<Map<string, Turn>> {
  const directory = await content.newDirectory('tools');
  const sums = new Map<string, string>();
  for (const { file, ext } of content.files)
    if (ext === 'mp4') sums.set(file, await sha256(join(content.www, `${file}.mp4`)));
  const aria2 = (file: ContentFile, urls: readonly string[]): Promise<Run> =>
    byAria2(directory, urls, sums.get(file.file) ?? '');
  return new Map<string, Turn>([
    ['ours, 1 source', (file) => boxes.fill(file, 1)],
    ['curl, 1 source', (file) => byCurl(directory, boxes.urls(file)[0] ?? '')],
    ['aria2c, 1 source', (file) => aria2(file, boxes.urls(file).slice(0, 1))],
    ['ours, 4 peers', (file) => boxes.fill(file, peersMax)],
    ['aria2c, 4 peers', (file) => aria2(file, boxes.urls(file))],
  ]);
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/** A round lets each have one turn, and begins with another each time; nobody downloads what it has just had. */
async function measure(
  content: Content,
  turns: ReadonlyMap<string, Turn>,
  rounds: number,
): Promise<Map<string, Run[]>> {
  const films = content.files.filter(({ ext }) => ext === 'mp4');
  const names = [...turns.keys()];
  const runs = new Map<string, Run[]>(names.map((name) => [name, []]));
  let played = 0;
  // Round -1 warms: programs are loaded and compiled, and the files are in the peers' memory.
  for (let round = -1; round < rounds; round++) {
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(round + 1 + turn) % names.length] ?? '';
      const film = films[played % films.length];
      if (film === undefined) throw new Error('there are no films');
      if (name.startsWith('ours')) played++;
      process.stderr.write(`${name}\n`);
      const run = await turns.get(name)?.(film);
      if (run !== undefined && round >= 0) runs.get(name)?.push(run);
      await sleep(restMs);
    }
  }
  return runs;
}

/** What hashing alone costs here, in CPU seconds per GB: curl has nothing of it. */
function hashCost(): number {
  const chunk = Buffer.alloc(2 ** 20, 1);
  const chunks = 256;
  const before = process.cpuUsage();
  for (let count = 0; count < chunks; count++) createHash('sha256').update(chunk).digest();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6 / ((chunks * chunk.length) / 1e9);
}

const megabytesPerSecond = ({ bytes, seconds }: Run): number => bytes / seconds / 1e6;
const cpuPerGb = ({ bytes, cpuSeconds }: Run): number => cpuSeconds / (bytes / 1e9);

function report(runs: ReadonlyMap<string, readonly Run[]>): BenchReport {
  const rounds = (name: string, read: (run: Run) => number): number[] => (runs.get(name) ?? []).map(read);
  const rate = (name: string, ours: string, theirs: string) =>
    moreIsBetter({
      name,
      ours: rounds(ours, megabytesPerSecond),
      peer: theirs.split(',')[0] ?? theirs,
      theirs: rounds(theirs, megabytesPerSecond),
      unit: 'MB/s',
      goal: 0.9,
    });
  const figures = [
    rate('fill.rate.1source', 'ours, 1 source', 'curl, 1 source'),
    rate('fill.rate.4peers', 'ours, 4 peers', 'aria2c, 4 peers'),
    lessIsBetter({
      name: 'fill.cpu',
      ours: rounds('ours, 1 source', cpuPerGb),
      peer: 'curl',
      theirs: rounds('curl, 1 source', cpuPerGb),
      unit: 'CPU-s/GB',
      goal: 0.5,
    }),
  ];
  const rows = [...runs].map(([name, own]) => {
    const rates = own.map(megabytesPerSecond);
    const spread = `${Math.round(Math.min(...rates))} … ${Math.round(Math.max(...rates))}`;
    const sources = median(own.map((run) => run.sources));
    return [
      name,
      `${Math.round(median(rates))}`,
      spread,
      median(own.map(cpuPerGb)).toPrecision(3),
      `${sources}`,
    ];
  });
  const notes = [
    `${network} Peers, filled box and tools share the machine; four peers are four processes with the same files.`,
    `${toolVersions()}. Every download ends with its file durable on the same disk. Ours verifies each chunk and aria2c the whole file ` +
      'by SHA-256; curl verifies nothing. CPU seconds are of all processes of the filled box, and of the tool.',
    `Of ours, SHA-256 alone is ${hashCost().toPrecision(2)} CPU-s/GB on this machine.`,
  ];
  return {
    figures,
    notes,
    details: { head: ['who', 'MB/s', 'min … max', 'CPU-s/GB', 'sources used'], rows },
  };
}

await runBench('fill', async ({ quick }): Promise<BenchReport> => {
  const fileBytes = (quick ? 256 : 1024) * 2 ** 20;
  const content = await makeContent({ fileBytes, hotCount: 2, coldCount: 0 });
  try {
    const boxes = await startBoxes(content, { peers: peersMax });
    try {
      return report(await measure(content, await turnsOf(content, boxes), quick ? 3 : 7));
    } finally {
      await boxes.stop();
    }
  } finally {
    await content.remove();
  }
});
