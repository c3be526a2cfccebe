// `./dev bench dns`: what a query costs, and how many are answered, beside gdnsd with its geoip plugin and PowerDNS with its
// GeoIP backend. Every query has another client subnet. All servers are alive on one core, the load is on another; they take
// turns, saturated and at 100,000 queries a second.
//
// Figures: dns.cpu.gdnsd, dns.cpu.pdns (µs of processor time for a query), dns.qps.gdnsd, and the same at 100,000/s.
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import {
  lessIsBetter,
  median,
  moreIsBetter,
  runBench,
  type BenchReport,
  type Figure,
} from '../support/bench.ts';
import { pinnedTo } from './serve/server.ts';
import { enterOwnNetwork } from './serve/network.ts';
import { peerVersions, startGdnsd, startOurs, startPowerDns, type DnsPeer } from './dns/servers.ts';
import { boxesPerSite, sites, steeredName, zone } from './dns/world.ts';

const network = enterOwnNetwork();
const run = promisify(execFile);
const loadCpu = 1;
const typeA = 1;
const steadyRate = 100_000;
/** PowerDNS reads its table from YAML, which takes minutes for more; a larger one would not make it faster. */
const powerDnsPrefixes = 1000;

/** What one turn of the load generator saw. */
interface Turn {
  readonly seconds: number;
  readonly sent: number;
  readonly replied: number;
  readonly wrong: number;
  readonly lost: number;
  readonly serverCpuSeconds: number;
  readonly ownCpuSeconds: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

async function compileLoad(directory: string): Promise<string> {
  const source = new URL('dns/load.c', import.meta.url).pathname;
  const program = join(directory, 'load');
  await run('cc', ['-std=c11', '-D_GNU_SOURCE', '-O2', '-Wall', '-Wextra', '-Werror', source, '-o', program]);
  return program;
}

async function turn(
  load: string,
  { port, pid }: DnsPeer,
  of: { rate: number; forMs: number; seed: number },
): Promise<Turn> {
  const args = [port, pid, `${steeredName}.${zone}`, typeA, of.rate, of.forMs, of.seed].map(String);
  const [command = '', ...rest] = [...pinnedTo(loadCpu), load, ...args];
  const { stdout } = await run(command, rest);
  return JSON.parse(stdout) as Turn;
}

const microseconds = ({ serverCpuSeconds, replied }: Turn): number => (serverCpuSeconds / replied) * 1e6;
const perSecond = ({ replied, seconds }: Turn): number => replied / seconds;

/** Turns by server and rate; each round begins with another server. */
async function measure(
  load: string,
  peers: readonly DnsPeer[],
  { rounds, forMs }: { rounds: number; forMs: number },
): Promise<Map<string, Turn[]>> {
  const turns = new Map<string, Turn[]>();
  // Round -1 warms: code is compiled, caches are full.
  for (let round = -1; round < rounds; round++) {
    for (const rate of [0, steadyRate]) {
      for (let index = 0; index < peers.length; index++) {
        const peer = peers[(round + 1 + index) % peers.length];
        if (peer === undefined) continue;
        const done = await turn(load, peer, { rate, forMs, seed: round + 2 });
        const key = `${peer.name} ${rate === 0 ? 'saturated' : `${rate}/s`}`;
        process.stderr.write(
          `${key}: ${microseconds(done).toFixed(2)} µs, ${Math.round(perSecond(done))}/s\n`,
        );
        if (round >= 0) turns.set(key, [...(turns.get(key) ?? []), done]);
      }
    }
  }
  return turns;
}

function report(turns: ReadonlyMap<string, readonly Turn[]>, note: string): BenchReport {
  const rounds = (key: string, read: (turn: Turn) => number): number[] => (turns.get(key) ?? []).map(read);
  const of = (key: string, read: (turn: Turn) => number): number => median(rounds(key, read));
  const cpu = (name: string, peer: string, { at, goal }: { at: string; goal: number }): Figure =>
    lessIsBetter({
      name,
      ours: rounds(`ours ${at}`, microseconds),
      peer,
      theirs: rounds(`${peer} ${at}`, microseconds),
      unit: 'µs',
      goal,
    });
  const steady = `${steadyRate}/s`;
  const figures = [
    cpu('dns.cpu.gdnsd', 'gdnsd', { at: 'saturated', goal: 1 / 1.1 }),
    cpu('dns.cpu.gdnsd.100k', 'gdnsd', { at: steady, goal: 1 / 1.1 }),
    cpu('dns.cpu.pdns', 'PowerDNS', { at: 'saturated', goal: 1 / 0.7 }),
    cpu('dns.cpu.pdns.100k', 'PowerDNS', { at: steady, goal: 1 / 0.7 }),
    moreIsBetter({
      name: 'dns.qps.gdnsd',
      ours: rounds('ours saturated', perSecond),
      peer: 'gdnsd',
      theirs: rounds('gdnsd saturated', perSecond),
      unit: '/s',
      goal: 1 / 1.1,
    }),
  ];
  const rows = [...turns].map(([key, own]) => {
    const costs = own.map(microseconds);
    const sum = (read: (each: Turn) => number): number => own.reduce((total, each) => total + read(each), 0);
    return [
      key,
      of(key, microseconds).toFixed(2),
      `${Math.min(...costs).toFixed(2)} … ${Math.max(...costs).toFixed(2)}`,
      `${Math.round(of(key, perSecond))}`,
      `${of(key, (each) => each.p50Us)}`,
      `${of(key, (each) => each.p99Us)}`,
      `${sum((each) => each.lost)}`,
      `${sum((each) => each.wrong)}`,
    ];
  });
  return {
    figures,
    notes: [network, note],
    details: {
      head: ['who', 'µs a query', 'min … max', 'answers/s', 'p50 µs', 'p99 µs', 'lost', 'wrong'],
      rows,
    },
  };
}

await runBench('dns', async ({ quick }): Promise<BenchReport> => {
  const directory = await mkdtemp(join(tmpdir(), 'nearcast-bench-dns-'));
  const prefixes = quick ? 100_000 : 1_000_000;
  const peers: DnsPeer[] = [];
  try {
    const load = await compileLoad(directory);
    peers.push(await startOurs(prefixes));
    peers.push(await startGdnsd(join(directory, 'gdnsd'), prefixes));
    peers.push(await startPowerDns(join(directory, 'pdns'), powerDnsPrefixes));
    const turns = await measure(load, peers, quick ? { rounds: 3, forMs: 1500 } : { rounds: 7, forMs: 4000 });
    const note =
      `${peerVersions()}. ${prefixes} prefixes for ours and gdnsd, ${powerDnsPrefixes} for PowerDNS; ${sites} sites of ${boxesPerSite} boxes, ` +
      'two of which are answered (ours ranks them for each query, with lines for all the viewers that these stand for; the peers have them fixed). Processor time is the whole of each server’s process, kernel included.';
    return report(turns, note);
  } finally {
    await Promise.all(peers.map((peer) => peer.stop()));
    await rm(directory, { recursive: true });
  }
});
