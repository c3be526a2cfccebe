// `measure.ts FOLDER ROUNDS`: loads the map of a folder as a steering node that starts, then asks it, then takes the second map; prints as
// JSON what that took. A process of its own, so that the memory is steering's.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { openPrefixTable } from '../../../common/core/prefix-table.ts';
import { rankPolicyDefault, rankStateOf } from '../../../steering/core/rank.ts';
import type { RankQuery } from '../../../steering/core/rank-query.ts';
import { Ranker } from '../../../steering/core/ranker.ts';
import type { SteeringView } from '../../../steering/core/view.ts';
import { median } from '../../support/bench.ts';
import { startWithMap } from './start.ts';
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
const { holder, loader, view, loadSeconds, rssMiB } = await startWithMap(folder);

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
  const table = openPrefixTable(view.routes[family]);
  const width = family === 4 ? 1 : 4;
  const words = [0xffffffff, 0, 0, 0].slice(0, width);
  return rateOf(() => {
    let sum = 0;
    for (let at = 0; at < clients.length; at += width) {
      for (let word = 0; word < width; word++) words[word] = clients[at + word] ?? 0;
      sum = (sum + table.valueOf(words) + table.scope) | 0;
    }
    return sum;
  });
}

/** Of so many clients it is told how many candidates each has. */
const candidatesOf = 10_000;
let candidates = 0;
function ranks(of: SteeringView, clients: Uint32Array): number {
  candidates = 0;
  const ranker = new Ranker(of, rankPolicyDefault);
  const state = rankStateOf(of, new Map(), rankPolicyDefault.headroomMin);
  const words = [0];
  const bundle = { a: 0, b: 0 };
  const query: RankQuery = {
    ...{ words, clientFamily: 4, family: 4, row: 0, key: bundle, forBlock: false, firstWays: Infinity },
    ...{ place: undefined, places: undefined, placeUnknown: undefined },
  };
  const { hashA, hashB } = of.holdings;
  const ask = (at: number): void => {
    const row = at % hashA.length;
    words[0] = clients[at] ?? 0;
    query.row = row;
    bundle.a = hashA[row] ?? 0;
    bundle.b = hashB[row] ?? 0;
  };
  for (let at = 0; at < candidatesOf; at++) {
    ask(at);
    ranker.rankAll(query, state, []);
    candidates += ranker.count / candidatesOf;
  }
  return rateOf(() => {
    let sum = 0;
    for (let at = 0; at < clients.length; at++) {
      ask(at);
      ranker.rank(query, state);
      sum += ranker.wayCount;
    }
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
await loader.close();
process.stdout.write(`${JSON.stringify(run)}\n`);
