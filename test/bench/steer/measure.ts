// `measure.ts FOLDER ROUNDS`: loads the map of a folder as a steering node that starts, then asks it, then takes the second map; prints as
// JSON what that took. A process of its own, so that the memory is steering's.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { openPrefixTable } from '../../../common/core/prefix-table.ts';
import { PublicJwk } from '../../../common/contract/primitives.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import { importPublicJwk } from '../../../common/runtime/keys.ts';
import { createLog } from '../../../common/runtime/log.ts';
import { parseJsonAs } from '../../../common/runtime/parse.ts';
import { rankPolicyDefault, rankStateOf } from '../../../steering/core/rank.ts';
import { Ranker, type RankQuery } from '../../../steering/core/ranker.ts';
import type { SteeringView } from '../../../steering/core/view.ts';
import { createMapHolder } from '../../../steering/map/map-holder.ts';
import { createMapLoader } from '../../../steering/map/map-loader.ts';
import { createMapSnapshot } from '../../../steering/map/snapshot.ts';
import { median } from '../../support/bench.ts';
import { pick, seededRandom } from '../../support/seeded.ts';

/** What one run measured. */
export interface SteerRun {
  readonly loadSeconds: number;
  /** Millions in a second. */
  readonly lookups4: number;
  readonly lookups6: number;
  readonly ranks: number;
  readonly candidates: number;
  readonly triesMiB: number;
  /** Resident when all is loaded, and the most that it ever was. */
  readonly rssMiB: number;
  readonly peakMiB: number;
  readonly updateSeconds: number;
  /** The longest time in which the main thread turned to nothing else while the second map came. */
  readonly pauseMs: number;
}

const asked = 1 << 20;
const [folder = '', rounds = '3'] = process.argv.slice(2);
const log = createLog({ name: 'bench', level: 'error' });
const key = importPublicJwk(
  parseJsonAs(PublicJwk, await readFile(join(folder, 'key.json'), 'utf8'), { what: 'the key' }),
);

const startedMs = performance.now();
const compiler = createMapLoader(join(folder, 'map-tables'));
const holder = createMapHolder({
  snapshot: { ...createMapSnapshot(join(folder, 'steering-map.jws'), log), write: () => Promise.resolve() },
  compiler,
  findKey: () => key,
  clock: createSystemClock(),
  log,
  onView: () => undefined,
  onMap: () => undefined,
  onRefused: (code) => {
    throw new Error(code);
  },
});
await holder.load();
const loadSeconds = (performance.now() - startedMs) / 1000;
const view = holder.view();
if (view === undefined) throw new Error('the map was not taken');
const rssMiB = process.memoryUsage.rss() / 2 ** 20;

const random = seededRandom(3);
/** Addresses of clients: within the prefixes that there are. */
const clients = { 4: addressesOf(view, 4), 6: addressesOf(view, 6) };

function addressesOf({ routes }: SteeringView, family: 4 | 6): Uint32Array {
  const { starts } = routes[family];
  const width = family === 4 ? 1 : 4;
  const words = new Uint32Array(asked * width);
  for (let at = 0; at < asked; at++) {
    const from = pick(random, starts.length / width) * width;
    for (let word = 0; word < width; word++) words[at * width + word] = starts[from + word] ?? 0;
    words[at * width + width - 1]! |= pick(random, 256);
  }
  return words;
}

/** Millions in a second, the middle of the rounds. */
function rateOf(run: () => void): number {
  run();
  const rates = Array.from({ length: Number(rounds) }, () => {
    const fromMs = performance.now();
    run();
    return asked / (performance.now() - fromMs) / 1000;
  });
  return median(rates);
}

let kept = 0;
function lookups(family: 4 | 6): number {
  const table = openPrefixTable(view!.routes[family]);
  const width = family === 4 ? 1 : 4;
  const words = [0xffffffff, 0, 0, 0].slice(0, width);
  return rateOf(() => {
    for (let at = 0; at < asked * width; at += width) {
      for (let word = 0; word < width; word++) words[word] = clients[family][at + word] ?? 0;
      const interval = table.find(words);
      kept += table.valueAt(interval) + table.scopeAt(interval, words);
    }
  });
}

let candidates = 0;
function ranks(of: SteeringView): number {
  const ranker = new Ranker(of, rankPolicyDefault);
  const state = rankStateOf(of, new Map(), rankPolicyDefault.headroomMin);
  const words = [0];
  const bundle = { a: 0, b: 0 };
  const query: RankQuery = {
    ...{ words, clientFamily: 4, family: 4, row: 0, key: bundle, forBlock: false },
    ...{ place: undefined, placeUnknown: undefined },
  };
  const { hashA, hashB } = of.holdings;
  return rateOf(() => {
    candidates = 0;
    for (let at = 0; at < asked; at++) {
      const row = at % hashA.length;
      words[0] = clients[4][at] ?? 0;
      query.row = row;
      bundle.a = hashA[row] ?? 0;
      bundle.b = hashB[row] ?? 0;
      ranker.rank(query, state);
      kept += ranker.wayCount;
      candidates += ranker.count;
    }
    candidates /= asked;
  });
}

/** The longest gap between two turns of the event loop while something runs. */
async function longestPauseMs(run: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  let last = performance.now();
  let ended = false;
  const turn = (): void => {
    const nowMs = performance.now();
    longest = Math.max(longest, nowMs - last);
    last = nowMs;
    if (!ended) setImmediate(turn);
  };
  setImmediate(turn);
  await run();
  await new Promise((resolve) => setImmediate(resolve));
  ended = true;
  return longest;
}

const { lists, ...tables } = view.routes;
const bytesOf = (columns: object): number =>
  Object.values(columns).reduce<number>(
    (sum, column) => sum + (ArrayBuffer.isView(column) ? column.byteLength : 0),
    0,
  );
const second = await readFile(join(folder, 'second-map.jws'), 'utf8');
const lookups4 = lookups(4);
const lookups6 = lookups(6);
const rankRate = ranks(view);
const updateFromMs = performance.now();
const pauseMs = await longestPauseMs(() =>
  holder.take(second, () => Promise.reject(new Error('all is there'))),
);
const run: SteerRun = {
  ...{ loadSeconds, lookups4, lookups6, ranks: rankRate, candidates },
  triesMiB: (bytesOf(tables[4]) + bytesOf(tables[6]) + bytesOf(lists)) / 2 ** 20,
  ...{ rssMiB, peakMiB: process.resourceUsage().maxRSS / 1024 },
  ...{ updateSeconds: (performance.now() - updateFromMs) / 1000, pauseMs },
};
await compiler.close();
if (kept < 0) process.exitCode = 1;
process.stdout.write(`${JSON.stringify(run)}\n`);
