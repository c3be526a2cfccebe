// `./dev bench routes`: how long a box takes to read a full table of BIRD 2, beside BIRD's own client, what that costs, and how long the
// control plane stands still when it is told such a table.
import { execFileSync, spawnSync } from 'node:child_process';
import { performance } from 'node:perf_hooks';

import { decodeRouteTable, nameOfRouteBytes } from '../../common/core/route-table-codec.ts';
import { nameRouteTable } from '../../common/core/route-table-delta.ts';
import { valueOf } from '../../common/runtime/errors.ts';
import { admitRoutes } from '../../control-plane/core/route-policy.ts';
import { lessIsBetter, median, runBench, type BenchReport, type Figure } from '../support/bench.ts';
import { birdLabMissing, startBirdLab } from '../support/bird-lab.ts';
import { makePrefixes, prefixTexts } from './routes/prefixes.ts';
import type { ReadRun } from './routes/read.ts';

const readProgram = new URL('routes/read.ts', import.meta.url).pathname;
const fullSize = { ipv4: 1_000_000, ipv6: 200_000, rounds: 5 };
const quickSize = { ipv4: 100_000, ipv6: 20_000, rounds: 2 };

await runBench('routes', async ({ quick }): Promise<BenchReport> => {
  const missing = await birdLabMissing();
  if (missing !== undefined) throw new Error(missing);
  const { ipv4, ipv6, rounds } = quick ? quickSize : fullSize;
  const table = makePrefixes(ipv4, ipv6);
  const { prefixes4, prefixes6 } = prefixTexts(table);
  const filter = 'bgp_path.prepend(64512 + net.len); if net.len > 22 then bgp_path.prepend(174); bgp_med = net.len; bgp_community.add((65001,net.len));'; // prettier-ignore
  const lab = await startBirdLab({ prefixes4, prefixes6, filter });
  try {
    for (let count = ''; !count.includes(`Total: ${ipv4 + ipv6} of`);)
      count = await lab.command('box', 'show route count');
    const reads: ReadRun[] = [];
    const birdc: number[] = [];
    let bytes = 0;
    for (let round = 0; round < rounds; round++) {
      const startMs = performance.now();
      const { stdout } = spawnSync('sh', ['-c', `birdc -r -s ${lab.socket} 'show route all primary protocol isp' | wc -c`]); // prettier-ignore
      birdc.push((performance.now() - startMs) / 1000);
      bytes = Number(stdout.toString());
      reads.push(JSON.parse(execFileSync(process.execPath, [readProgram, lab.socket, String(ipv4 + ipv6)], { encoding: 'utf8' })) as ReadRun); // prettier-ignore
    }
    const of = (pick: (run: ReadRun) => number): number => median(reads.map(pick));
    const limit = (name: string, ours: number, [theirs, unit]: readonly [number, string]): Figure =>
      lessIsBetter({ name, ours, peer: 'limit', theirs, unit, goal: 1 });
    const seconds = lessIsBetter({ name: 'routes.read.seconds', ours: of((run) => run.seconds), peer: 'birdc', theirs: median(birdc), unit: 's', goal: 0.5 }); // prettier-ignore
    return {
      figures: [
        seconds,
        limit(
          'routes.read.cpu',
          of((run) => run.cpuSeconds),
          [10, 's'],
        ),
        limit(
          'routes.read.rss',
          of((run) => run.rssMiB),
          [250, 'MiB'],
        ),
        limit('routes.take.pause', median(Array.from({ length: rounds }, () => takeSeconds(table))), [
          1,
          's',
        ]),
      ],
      notes: [
        `${ipv4} IPv4 and ${ipv6} IPv6 routes, ${(bytes / 1e6).toFixed(0)} MB of text; packed for the wire ${(of((run) => run.packedBytes) / 1e6).toFixed(2)} MB.`,
        'Ours is from the first look to the packed table, in a process of its own; birdc -r prints the same table to nobody.',
        'The pause is what the control plane needs to decode, judge and name such a table, one at a time.',
      ],
      details: {
        head: ['round', 'read, s', 'processor, s', 'memory, MiB', 'birdc, s'],
        rows: reads.map(({ seconds: read, cpuSeconds, rssMiB }, at) => [
          String(at + 1),
          ...[read, cpuSeconds, rssMiB, birdc[at] ?? NaN].map((value) => value.toPrecision(3)),
        ]),
      },
    };
  } finally {
    await lab.close();
  }
});

function takeSeconds(table: ReturnType<typeof makePrefixes>): number {
  const { bytes } = nameRouteTable(table);
  const startMs = performance.now();
  const decoded = valueOf(decodeRouteTable(bytes, { routesMax: 2_000_000 }));
  nameOfRouteBytes(bytes);
  const { refused } = admitRoutes(decoded, { allowed: undefined, routesMax: 1_500_000 });
  const seconds = (performance.now() - startMs) / 1000;
  if (refused.length > 0) throw new Error('a table of the benchmark was refused');
  return seconds;
}
