// `./dev bench serve`: ranges of video files over HTTP and HTTPS, the appliance beside nginx, Varnish, and the limit of the
// kernel. Each server has one core, the load generator the other; they take turns, and every round begins with another.
//
// Figures: http.SIZE.cN and https.SIZE.cN (CPU seconds per GB of bodies), their .p99 at 256 connections, rss.idle10000 and
// rss.idle10000.tls, cold.SIZE, mixed.hot. `--only 'http.*.c32'` measures some of them. Needs cc, nginx, varnish, openssl,
// ip, taskset and the headers of OpenSSL. How to profile ours: see serve/ours.ts.
import { loadavg } from 'node:os';

import { runBench, type BenchReport } from '../support/bench.ts';
import { coldSizes, measureCold, measureMixed } from './serve/cold.ts';
import { makeContent, type Content } from './serve/content.ts';
import {
  cells,
  hasTails,
  measureCell,
  rowHead,
  serverCpu,
  verify,
  warm,
  type Cell,
  type Measured,
} from './serve/hot.ts';
import { idleFigure, measureIdle } from './serve/idle.ts';
import { enterOwnNetwork } from './serve/network.ts';
import { startOurs } from './serve/ours.ts';
import { peerVersions, startLimit, startNginx, startVarnish } from './serve/peers.ts';
import { compilePrograms, type Programs } from './serve/programs.ts';
import type { Protocol, Server } from './serve/server.ts';

const network = enterOwnNetwork();
const [loadBefore = 0] = loadavg();

interface Bench {
  readonly content: Content;
  readonly programs: Programs;
  readonly quick: boolean;
  readonly wants: (name: string) => boolean;
  readonly take: (measured: Partial<Measured>) => void;
}

const remarks: string[] = [];
const running = new Set<{ stop(): Promise<void> }>();

// Whoever is told to end leaves no server behind, and no gigabytes.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void Promise.allSettled([...running].toReversed().map((each) => each.stop())).then(() =>
      process.exit(130),
    );
  });
}

/** Runs with servers that are stopped afterwards, in the order of their start. */
async function withServers<const Starts extends readonly (() => Promise<Server>)[]>(
  starts: Starts,
  use: (...servers: { [Each in keyof Starts]: Server }) => Promise<void>,
): Promise<void> {
  const servers: Server[] = [];
  try {
    for (const start of starts) {
      const server = await start();
      servers.push(server);
      running.add(server);
    }
    await use(...(servers as { [Each in keyof Starts]: Server }));
  } catch (error) {
    for (const server of servers) process.stderr.write(server.remarks().join('\n'));
    throw error;
  } finally {
    for (const server of servers) {
      remarks.push(...server.remarks());
      await server.stop();
      running.delete(server);
    }
  }
}

/** What a quick run measures: where the issue looks, and the ends of what many connections do. */
const isQuick = ({ connections, sizeBytes }: Cell): boolean =>
  connections === 32 || (connections === 256 && (sizeBytes === 16_384 || sizeBytes === 4_194_304));

const isWanted = ({ wants }: Bench, cell: Cell): boolean =>
  wants(cell.name) || (hasTails(cell) && wants(`${cell.name}.p99`));

/** Our server and the one that it is measured against. */
function pair(content: Content, options: { protocol: Protocol; cpu: number | undefined; threads?: boolean }) {
  return [() => startOurs(content, options), () => startNginx(content, options)] as const;
}

async function hot(bench: Bench, protocol: Protocol): Promise<void> {
  const { content, programs, quick, take } = bench;
  const wanted = cells.filter(
    (cell) => cell.protocol === protocol && isWanted(bench, cell) && (!quick || isQuick(cell)),
  );
  if (wanted.length === 0) return;
  const cpu = serverCpu;
  // What only gives a sense of proportion is measured where the issue looks: plain, at 32 connections.
  const hasContext = ({ connections }: Cell): boolean => protocol === 'http' && connections === 32;
  await withServers(pair(content, { protocol, cpu }), async (ours, nginx) => {
    const main = [ours, nginx];
    const context = wanted.some(hasContext)
      ? [() => startLimit(content, { cpu, programs }), () => startVarnish(content, { cpu, source: nginx })]
      : [];
    await withServers(context, async (...others) => {
      for (const server of [...main, ...others]) {
        await verify(programs, server);
        await warm(programs, server);
      }
      for (const cell of wanted) {
        const servers = hasContext(cell) ? [...main, ...others] : main;
        // What the issue looks at: the machine is noisy for seconds, so many short rounds say more than a few long ones.
        const rounds = cell.connections === 32 ? 21 : 7;
        const effort = quick ? { rounds: 2, seconds: 0.2 } : { rounds, seconds: 0.4 };
        process.stderr.write(`${cell.name}\n`);
        take(await measureCell(programs, cell, { servers, effort }));
      }
    });
  });
}

async function idle({ content, programs, quick, wants, take }: Bench, protocol: Protocol): Promise<void> {
  const name = protocol === 'http' ? 'rss.idle10000' : 'rss.idle10000.tls';
  if (!wants(name)) return;
  const taken: Awaited<ReturnType<typeof measureIdle>>[] = [];
  for (let round = 0; round < (quick ? 1 : 5); round++) {
    process.stderr.write(`${name}\n`);
    await withServers(pair(content, { protocol, cpu: serverCpu }), async (ours, nginx) => {
      taken.push(await measureIdle(programs, { ours, nginx }));
    });
  }
  take({ figures: [idleFigure(name, taken)] });
}

async function disk({ content, programs, quick, wants, take }: Bench): Promise<void> {
  const effort = quick ? { rounds: 2, seconds: 0.5 } : { rounds: 5, seconds: 2 };
  const wanted = coldSizes.filter((sizeBytes) => wants(`cold.${sizeBytes}`));
  const options = { protocol: 'http', threads: true } as const;
  if (wanted.length > 0) {
    // The question is the disk: nobody is short of a core.
    await withServers(pair(content, { ...options, cpu: undefined }), async (ours, nginx) => {
      for (const sizeBytes of wanted) {
        process.stderr.write(`cold.${sizeBytes}\n`);
        take(await measureCold(programs, { ours, nginx, sizeBytes, effort }));
      }
    });
  }
  if (!wants('mixed.hot')) return;
  await withServers(pair(content, { ...options, cpu: serverCpu }), async (ours, nginx) => {
    process.stderr.write('mixed.hot\n');
    take(await measureMixed(programs, { ours, nginx, effort }));
  });
}

await runBench('serve', async ({ quick, wants }): Promise<BenchReport> => {
  const fileBytes = (quick ? 64 : 256) * 2 ** 20;
  const needsCold = ['mixed.hot', ...coldSizes.map((sizeBytes) => `cold.${sizeBytes}`)].some(wants);
  const content = await makeContent({ fileBytes, hotCount: 8, coldCount: needsCold ? 16 : 0 });
  running.add({ stop: () => content.remove() });
  const report = { figures: [], rows: [], notes: [] } as Measured;
  try {
    const programs = await compilePrograms(content.directory);
    const take = ({ figures = [], rows = [], notes = [] }: Partial<Measured>): void => {
      report.figures.push(...figures);
      report.rows.push(...rows);
      report.notes.push(...notes);
    };
    const bench: Bench = { content, programs, quick, wants, take };
    for (const protocol of ['http', 'https'] as const) {
      await hot(bench, protocol);
      await idle(bench, protocol);
    }
    await disk(bench);
  } finally {
    await content.remove();
  }
  const notes = [
    `${network} Load average before: ${loadBefore.toFixed(2)}.`,
    `Peers: ${peerVersions()}, their access logs off (Varnish keeps its log in memory). Ours: Node ${process.version} with ` +
      `OpenSSL ${process.versions.openssl}, tokens verified, records and metrics on.`,
    'TLS: 1.3, AES-128-GCM; kernel TLS was not compared. CPU seconds are of all processes of a server.',
    ...new Set(remarks),
    ...report.notes,
  ];
  return { figures: report.figures, notes, details: { head: rowHead, rows: report.rows } };
});
