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
import type { RankQuery } from '../../../steering/core/rank-query.ts';
import { Ranker } from '../../../steering/core/ranker.ts';
import type { SteeringView } from '../../../steering/core/view.ts';
import { createMapHolder } from '../../../steering/map/map-holder.ts';
import { createMapLoader } from '../../../steering/map/map-loader.ts';
import { createMapSnapshot } from '../../../steering/map/snapshot.ts';
import { median } from '../../support/bench.ts';
import { clientCount } from './world.ts';

/** What one run measured. */
export interface SteerRun {
  readonly loadSeconds: number;
  /** Millions in a second. */
  readonly lookups4: number;
  readonly lookups6: number;
  readonly ranks: number;
  readonly candidates: number;
  /** The same where some networks ask more than others. */
  readonly skewed: { readonly lookups4: number; readonly lookups6: number; readonly ranks: number };
  readonly triesMiB: number;
  /** Resident when all is loaded, and the most that it ever was. */
  readonly rssMiB: number;
  readonly peakMiB: number;
  readonly updateSeconds: number;
  /** The longest time in which the main thread turned to nothing else while the second map came. */
  readonly pauseMs: number;
}

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

const streams = {
  4: await readStreams(4),
  6: await readStreams(6),
};

/** Addresses of clients, in words: at random, and as they come. */
async function readStreams(family: 4 | 6): Promise<{ random: Uint32Array; skewed: Uint32Array }> {
  const read = async (name: string): Promise<Uint32Array> => {
    const bytes = await readFile(join(folder, `clients-${family}-${name}`));
    return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  };
  return { random: await read('random'), skewed: await read('skewed') };
}

/** Millions in a second, the middle of the rounds. */
function rateOf(run: () => number): number {
  check(run());
  const rates = Array.from({ length: Number(rounds) }, () => {
    const fromMs = performance.now();
    const sum = run();
    const rate = clientCount / (performance.now() - fromMs) / 1000;
    check(sum);
    return rate;
  });
  return median(rates);
}

/** What was computed is used, so that it is computed. */
function check(sum: number): void {
  if (sum === 0) throw new Error('nothing was found');
}

function lookups(family: 4 | 6, clients: Uint32Array): number {
  const table = openPrefixTable(view!.routes[family]);
  const width = family === 4 ? 1 : 4;
  const words = [0xffffffff, 0, 0, 0].slice(0, width);
  return rateOf(() => {
    let sum = 0;
    for (let at = 0; at < clients.length; at += width) {
      for (let word = 0; word < width; word++) words[word] = clients[at + word] ?? 0;
      const interval = table.find(words);
      sum = (sum + table.valueAt(interval) + table.scopeAt(interval, words)) | 0;
    }
    return sum;
  });
}

let candidates = 0;
function ranks(of: SteeringView, clients: Uint32Array): number {
  const ranker = new Ranker(of, rankPolicyDefault);
  const state = rankStateOf(of, new Map(), rankPolicyDefault.headroomMin);
  const words = [0];
  const bundle = { a: 0, b: 0 };
  const query: RankQuery = {
    ...{ words, clientFamily: 4, family: 4, row: 0, key: bundle, forBlock: false },
    ...{ place: undefined, places: undefined, placeUnknown: undefined },
  };
  const { hashA, hashB } = of.holdings;
  return rateOf(() => {
    let judged = 0;
    let sum = 0;
    for (let at = 0; at < clients.length; at++) {
      const row = at % hashA.length;
      words[0] = clients[at] ?? 0;
      query.row = row;
      bundle.a = hashA[row] ?? 0;
      bundle.b = hashB[row] ?? 0;
      ranker.rank(query, state);
      sum += ranker.wayCount;
      judged += ranker.count;
    }
    candidates = judged / clients.length;
    return sum;
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
const lookups4 = lookups(4, streams[4].random);
const lookups6 = lookups(6, streams[6].random);
const rankRate = ranks(view, streams[4].random);
const skewed = {
  lookups4: lookups(4, streams[4].skewed),
  lookups6: lookups(6, streams[6].skewed),
  ranks: ranks(view, streams[4].skewed),
};
const updateFromMs = performance.now();
const pauseMs = await longestPauseMs(() =>
  holder.take(second, () => Promise.reject(new Error('all is there'))),
);
const run: SteerRun = {
  ...{ loadSeconds, lookups4, lookups6, ranks: rankRate, candidates, skewed },
  triesMiB: (bytesOf(tables[4]) + bytesOf(tables[6]) + bytesOf(lists)) / 2 ** 20,
  ...{ rssMiB, peakMiB: process.resourceUsage().maxRSS / 1024 },
  ...{ updateSeconds: (performance.now() - updateFromMs) / 1000, pauseMs },
};
await compiler.close();
process.stdout.write(`${JSON.stringify(run)}\n`);
