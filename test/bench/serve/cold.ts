import { median, moreIsBetter, type Figure } from '../../support/bench.ts';
import { loadCpu, type Effort, type Measured } from './hot.ts';
import { dropFromCache, readCold, runLoad, type Programs, type Sample } from './programs.ts';
import type { Server } from './server.ts';

/** As many as the appliance has reading threads for a disk. */
const readers = 8;
const mixedReaders = 4;
export const coldSizes = [1_048_576, 4_194_304] as const;
const mixedSizeBytes = 262_144;
const coldSizeBytes = 1_048_576;

/** What a server sent, and what share of a core it took for that, as far as that is known. */
interface Rate {
  readonly bytesPerSecond: number;
  readonly cpuShare: number | undefined;
}

const rateOf = ({ bytes, seconds, serverCpuSeconds }: Sample): Rate => ({
  bytesPerSecond: bytes / seconds,
  cpuShare: serverCpuSeconds / seconds,
});

const megabytes = (rates: readonly Rate[]): number[] =>
  rates.map(({ bytesPerSecond }) => bytesPerSecond / 1e6);

/**
 * Ranges that are on the disk only, each asked for once: what a server makes of it beside plain reads of the same ranges by as
 * many threads. The files are dropped from the page cache before each turn, in place of a set larger than memory.
 */
export async function measureCold(
  programs: Programs,
  { ours, nginx, sizeBytes, effort }: { ours: Server; nginx: Server; sizeBytes: number; effort: Effort },
): Promise<Measured> {
  const name = `cold.${sizeBytes}`;
  const { seconds } = effort;
  const rates = { ours: [] as Rate[], nginx: [] as Rate[], pread: [] as Rate[] };
  const serve = async (server: Server, seed: number): Promise<Rate> => {
    const { port, targets } = server;
    const request = {
      port,
      tls: false,
      targets: targets.cold,
      sizeBytes,
      seconds,
      seed,
      pids: await server.pids(),
    };
    return rateOf(await runLoad(programs, { ...request, connections: readers, once: true }));
  };
  const read = async (seed: number): Promise<Rate> => {
    const request = { targets: ours.targets.cold, sizeBytes, threads: readers, seconds, seed };
    return { bytesPerSecond: await readCold(programs, request), cpuShare: undefined };
  };
  for (let round = 0; round < effort.rounds; round++) {
    const turns = [
      async () => rates.ours.push(await serve(ours, round)),
      async () => rates.pread.push(await read(round)),
      async () => rates.nginx.push(await serve(nginx, round)),
    ];
    for (let turn = 0; turn < turns.length; turn++) {
      await dropFromCache(programs, ours.targets.cold);
      await turns[(round + turn) % turns.length]?.();
    }
  }
  const figure = moreIsBetter({
    name,
    ours: megabytes(rates.ours),
    peer: `pread, ${readers} threads`,
    theirs: megabytes(rates.pread),
    unit: 'MB/s',
    goal: 0.95,
  });
  const rows = Object.entries(rates).map(([server, taken]) => rateRow(name, server, taken));
  return { figures: [figure], rows, notes: [] };
}

function rateRow(cell: string, server: string, rates: readonly Rate[]): string[] {
  const shares = rates.flatMap(({ cpuShare }) => cpuShare ?? []);
  const share = shares.length === 0 ? '' : `${Math.round(median(shares) * 100)} %`;
  return [cell, server, Math.round(median(megabytes(rates))).toString(), '', '', '', '', '', share, ''];
}

/** Hot traffic's rate while four others read what is on the disk only; nginx reads by its pool of threads. */
export async function measureMixed(
  programs: Programs,
  { ours, nginx, effort }: { ours: Server; nginx: Server; effort: Effort },
): Promise<Measured> {
  const hot = new Map<Server, Rate[]>([
    [ours, []],
    [nginx, []],
  ]);
  const notes: string[] = [];
  const cold = new Map<Server, Rate[]>([
    [ours, []],
    [nginx, []],
  ]);
  for (let round = 0; round < effort.rounds; round++) {
    for (const server of round % 2 === 0 ? [ours, nginx] : [nginx, ours]) {
      await dropFromCache(programs, ours.targets.cold);
      const { port, targets } = server;
      const { seconds } = effort;
      const request = { port, tls: false, seed: round, cpu: loadCpu, pids: await server.pids() };
      const hotRequest = { ...request, targets: targets.hot, sizeBytes: mixedSizeBytes, connections: 32 };
      const coldRequest = { ...request, targets: targets.cold, sizeBytes: coldSizeBytes, once: true };
      // The cold readers end after the hot traffic, so that it never has the server for itself.
      const [served, read] = await Promise.all([
        runLoad(programs, { ...hotRequest, warmSeconds: seconds / 8, seconds: seconds / 2 }),
        runLoad(programs, { ...coldRequest, connections: mixedReaders, seconds }),
      ]);
      if (read.seconds < 0.8 * seconds) {
        notes.push(
          `mixed.hot: ${server.name} had read all that was cold after ${read.seconds.toFixed(1)} s.`,
        );
      }
      hot.get(server)?.push(rateOf(served));
      cold.get(server)?.push({ ...rateOf(read), cpuShare: undefined });
    }
  }
  const figure: Figure = moreIsBetter({
    name: 'mixed.hot',
    ours: megabytes(hot.get(ours) ?? []),
    peer: 'nginx, aio threads',
    theirs: megabytes(hot.get(nginx) ?? []),
    unit: 'MB/s',
    goal: 1,
  });
  const rows = [ours, nginx].flatMap((server) => [
    rateRow('mixed.hot', server.name, hot.get(server) ?? []),
    rateRow('mixed.cold', server.name, cold.get(server) ?? []),
  ]);
  return { figures: [figure], rows, notes };
}
