// Reads the table of a BIRD once, in a process of its own, and prints what that took as JSON: `read.ts SOCKET ROUTES`.
import { createRouteClassifier } from '../../../appliance/core/routes/route-classes.ts';
import { createBirdSource } from '../../../appliance/routes/bird-source.ts';
import { nameRouteTable } from '../../../common/core/route-table-delta.ts';
import { countRoutes, type RouteTable } from '../../../common/core/route-table.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import { packRouteTable } from '../../../common/runtime/route-table-packing.ts';

/** What one read took. */
export interface ReadRun {
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Of the whole process, at its highest. */
  readonly rssMiB: number;
  readonly packedBytes: number;
}

const [socket = '', wanted = ''] = process.argv.slice(2);
const source = createBirdSource({
  socket,
  protocols: [],
  classifier: createRouteClassifier(['65001:24=private'], 'embedded'),
  restartMs: 0,
  routesMax: 2_000_000,
  clock: createSystemClock(),
  log: createSilentLog(),
});
const before = process.cpuUsage();
const startMs = performance.now();
const ended = new AbortController();
const table = await new Promise<RouteTable>((resolve) => {
  const routes = (told: RouteTable): void => {
    if (countRoutes(told) === Number(wanted)) resolve(told);
  };
  void source.run({ routes, reasons: () => undefined }, ended.signal);
});
const packed = await packRouteTable(nameRouteTable(table).bytes);
ended.abort();
const { user, system } = process.cpuUsage(before);
const run: ReadRun = {
  seconds: (performance.now() - startMs) / 1000,
  cpuSeconds: (user + system) / 1e6,
  rssMiB: process.resourceUsage().maxRSS / 1024,
  packedBytes: packed.length,
};
process.stdout.write(`${JSON.stringify(run)}\n`);
