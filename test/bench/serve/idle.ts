import { setTimeout as sleep } from 'node:timers/promises';

import { lessIsBetter, median, type Figure } from '../../support/bench.ts';
import { loadCpu } from './hot.ts';
import { openIdle, runLoad, type Programs } from './programs.ts';
import { residentBytes, type Server } from './server.ts';

const idleCount = 10_000;
const settleMs = 1000;

/** Growth of a server's memory for each connection that does nothing after one request, in bytes. */
async function idleBytes(programs: Programs, server: Server, connections: number): Promise<number> {
  const { port, protocol, targets } = server;
  const tls = protocol === 'https';
  const request = { port, tls, targets: targets.hot, sizeBytes: 16_384, seed: 1, cpu: loadCpu };
  // What a server takes once, however many connections there are, is not what is asked; nor is the rubbish of its start.
  await runLoad(programs, { ...request, connections: 32, seconds: 4 });
  await sleep(settleMs);
  const before = await residentBytes(await server.pids());
  const idle = await openIdle(programs, { ...request, connections, seconds: 0 });
  await sleep(settleMs);
  const grown = (await residentBytes(await server.pids())) - before;
  const held = await idle.close();
  if (held < connections) {
    throw new Error(
      `${server.name} kept ${held} of ${connections} idle connections, and opened ${idle.open}`,
    );
  }
  return grown / connections;
}

/** What each of two servers takes that have served nothing yet: freed memory would be taken again. */
export async function measureIdle(programs: Programs, { ours, nginx }: { ours: Server; nginx: Server }) {
  return {
    ours: await idleBytes(programs, ours, idleCount),
    nginx: await idleBytes(programs, nginx, idleCount),
  };
}

/** Compares medians: a heap that JavaScript collects meanwhile is as large as a thousand connections. */
export function idleFigure(name: string, taken: Awaited<ReturnType<typeof measureIdle>>[]): Figure {
  const of = (server: 'ours' | 'nginx') => Math.max(1, median(taken.map((each) => each[server])));
  return lessIsBetter({
    name,
    ours: of('ours'),
    peer: 'nginx',
    theirs: of('nginx'),
    unit: 'bytes/conn',
    goal: 1,
  });
}
