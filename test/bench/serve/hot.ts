import { lessIsBetter, median, type Figure } from '../../support/bench.ts';
import { failureCount, runLoad, type Programs, type Sample } from './programs.ts';
import type { Protocol, Server } from './server.ts';

export const serverCpu = 0;
export const loadCpu = 1;

/** Everything that is measured of one protocol, range size and number of connections. */
export interface Cell {
  readonly name: string;
  readonly protocol: Protocol;
  readonly sizeBytes: number;
  readonly connections: number;
}

/** What the issue asks for at 32 connections; elsewhere no worse than nginx. */
const goals: Readonly<Record<Cell['protocol'], Readonly<Record<number, number>>>> = {
  http: { 16384: 1.15, 65536: 1.2, 262144: 1.05, 1048576: 1, 4194304: 1 },
  https: { 16384: 1.6, 65536: 1.7, 262144: 2, 1048576: 2, 4194304: 2 },
};

export const cells: readonly Cell[] = (['http', 'https'] as const).flatMap((protocol) =>
  [16_384, 65_536, 262_144, 1_048_576, 4_194_304].flatMap((sizeBytes) =>
    [1, 32, 256].map((connections) => ({
      name: `${protocol}.${sizeBytes}.c${connections}`,
      protocol,
      sizeBytes,
      connections,
    })),
  ),
);

export const hasTails = (cell: Cell): boolean => cell.connections === 256;

/** How long and how often. */
export interface Effort {
  readonly rounds: number;
  readonly seconds: number;
}

/** What came of a cell. */
export interface Measured {
  readonly figures: Figure[];
  readonly rows: string[][];
  readonly notes: string[];
}

export const rowHead = [
  ...['cell', 'server', 'MB/s', 'CPU-s/GB', 'min … max', 'p50 ms', 'p99 ms', 'first byte p99 ms'],
  ...['server CPU', 'load CPU'],
];

const cpuPerGb = (sample: Sample): number => sample.serverCpuSeconds / (sample.bytes / 1e9);
const number = (value: number): string => value.toPrecision(3);
const percent = (value: number): string => `${Math.round(value * 100)} %`;

/** Measures one cell: the servers take turns, and every round begins with another. */
export async function measureCell(
  programs: Programs,
  cell: Cell,
  { servers, effort }: { servers: readonly Server[]; effort: Effort },
): Promise<Measured> {
  const samples = new Map<Server, Sample[]>(servers.map((server) => [server, []]));
  const notes: string[] = [];
  for (let round = 0; round < effort.rounds; round++) {
    for (let turn = 0; turn < servers.length; turn++) {
      const server = servers[(round + turn) % servers.length];
      if (server === undefined) continue;
      const sample = await runLoad(programs, {
        ...target(server, cell),
        warmSeconds: Math.min(0.25, effort.seconds / 3),
        seconds: effort.seconds,
        seed: round,
        pids: await server.pids(),
        cpu: loadCpu,
      });
      samples.get(server)?.push(sample);
      const failed = failureCount(sample);
      if (failed > 0)
        notes.push(`${cell.name}: ${failed} of ${sample.requests} answers of ${server.name} failed.`);
    }
  }
  for (const [server, taken] of samples) {
    const own = median(taken.map(({ ownCpuSeconds, seconds }) => ownCpuSeconds / seconds));
    if (own > 0.97) notes.push(`${cell.name}: the load generator was short of CPU beside ${server.name}.`);
  }
  const rows = [...samples].map(([server, taken]) => row(cell, server, taken));
  const of = (name: string) => [...samples].find(([server]) => server.name === name)?.[1];
  const [ours, nginx] = [of('ours'), of('nginx')];
  const figures = ours === undefined || nginx === undefined ? [] : compare(cell, ours, nginx);
  return { figures, rows, notes };
}

function target(server: Server, { sizeBytes, connections }: Pick<Cell, 'sizeBytes' | 'connections'>) {
  const { port, protocol, targets } = server;
  return { port, tls: protocol === 'https', targets: targets.hot, sizeBytes, connections };
}

function compare(cell: Cell, ours: readonly Sample[], nginx: readonly Sample[]): Figure[] {
  const goal = cell.connections === 32 ? (goals[cell.protocol][cell.sizeBytes] ?? 1) : 1;
  const figure = (suffix: string, unit: string, of: { goal: number; read: (sample: Sample) => number }) =>
    lessIsBetter({
      name: cell.name + suffix,
      ours: ours.map(of.read),
      peer: 'nginx',
      theirs: nginx.map(of.read),
      unit,
      goal: of.goal,
    });
  const tail = (sample: Sample): number => sample.whole.p99Us / 1000;
  return [
    figure('', 'CPU-s/GB', { goal, read: cpuPerGb }),
    ...(hasTails(cell) ? [figure('.p99', 'ms', { goal: 1, read: tail })] : []),
  ];
}

function row(cell: Cell, server: Server, samples: readonly Sample[]): string[] {
  const of = (read: (sample: Sample) => number): number => median(samples.map(read));
  const costs = samples.map(cpuPerGb);
  return [
    cell.name,
    server.name,
    Math.round(of(({ bytes, seconds }) => bytes / seconds / 1e6)).toString(),
    number(median(costs)),
    `${number(Math.min(...costs))} … ${number(Math.max(...costs))}`,
    number(of(({ whole }) => whole.p50Us / 1000)),
    number(of(({ whole }) => whole.p99Us / 1000)),
    number(of(({ first }) => first.p99Us / 1000)),
    percent(of(({ serverCpuSeconds, seconds }) => serverCpuSeconds / seconds)),
    percent(of(({ ownCpuSeconds, seconds }) => ownCpuSeconds / seconds)),
  ];
}

/** Compares every byte of some answers with the files, before anything is measured. Rejects where one is wrong. */
export async function verify(programs: Programs, server: Server): Promise<void> {
  const request = target(server, { sizeBytes: 65_536, connections: 8 });
  const sample = await runLoad(programs, { ...request, seconds: 0.2, seed: 99, verify: true });
  if (failureCount(sample) > 0) throw new Error(`${server.name} sends wrong bytes over ${server.protocol}`);
}

/** Lets a server compile what it compiles, and collect the rubbish of its start: it is to run for months. */
export async function warm(programs: Programs, server: Server): Promise<void> {
  const request = target(server, { sizeBytes: 16_384, connections: 32 });
  await runLoad(programs, { ...request, seconds: 4, seed: 98, cpu: loadCpu });
}
