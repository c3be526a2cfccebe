// `./dev bench eviction`: which eviction policy suits a box, on made-up traffic, and how fast traces are replayed.
import {
  createPolicy,
  policyDefault,
  policyNames,
  type PolicyName,
} from '../../appliance/core/eviction/policy.ts';
import { lessIsBetter, moreIsBetter, runBench, type Figure } from '../support/bench.ts';
import { zipfTrace, type TraceRequest, type ZipfOptions } from '../support/traces.ts';

/** What nearly every cache does. */
const peer: PolicyName = 'lru';

const MiB = 2 ** 20;
const chunk = (): number => MiB;
/** Posters and playlists to whole films: 64 KiB to 1 GiB, as many of each magnitude. */
const mixed = (random: () => number): number => Math.floor(2 ** (16 + 14 * random()));

type Traffic = Pick<ZipfOptions, 'alpha' | 'sizeOf' | 'oneHitShare' | 'churnShare'>;

const traffics: Readonly<Record<string, Traffic>> = {
  'chunks, α 0.8': { alpha: 0.8, sizeOf: chunk, oneHitShare: 0.2, churnShare: 0.05 },
  'chunks, α 1.1': { alpha: 1.1, sizeOf: chunk, oneHitShare: 0.2, churnShare: 0.05 },
  'chunks, α 0.8, new titles': { alpha: 0.8, sizeOf: chunk, oneHitShare: 0.2, churnShare: 1 },
  'mixed sizes, α 0.8': { alpha: 0.8, sizeOf: mixed, oneHitShare: 0.2, churnShare: 0.05 },
  'mixed sizes, α 1.1': { alpha: 1.1, sizeOf: mixed, oneHitShare: 0.2, churnShare: 0.05 },
};
/** Capacities as shares of the bytes of all distinct objects. */
const shares = [0.01, 0.1];

/** A trace with the next access of each request, as typed arrays. */
interface Recorded {
  readonly ids: Float64Array;
  readonly sizesBytes: Float64Array;
  readonly next: Float64Array;
  readonly bytes: number;
  readonly distinctBytes: number;
}

await runBench('eviction', async ({ quick }) => {
  const requests = quick ? 200_000 : 2_000_000;
  const figures: Figure[] = [];
  const rows: string[][] = [];
  const seconds: Partial<Record<PolicyName, number>> = {};
  for (const [name, traffic] of Object.entries(traffics)) {
    const trace = record(zipfTrace({ ...traffic, seed: 2026, requests, objects: requests / 20 }), requests);
    for (const share of shares) {
      const capacityBytes = Math.floor(trace.distinctBytes * share);
      const results = new Map(policyNames.map((policy) => [policy, replay(policy, capacityBytes, trace)]));
      const missed = (policy: PolicyName): number => results.get(policy)?.byteMissRatio ?? NaN;
      for (const [policy, result] of results) seconds[policy] = (seconds[policy] ?? 0) + result.seconds;
      rows.push([
        name,
        `${share * 100} %`,
        ...[...results.values()].map(
          ({ missRatio, byteMissRatio }) => `${missRatio.toFixed(3)} / ${byteMissRatio.toFixed(3)}`,
        ),
      ]);
      figures.push(
        lessIsBetter({
          name: `bytes, ${name}, ${share * 100} %`,
          ours: missed(policyDefault),
          peer,
          theirs: missed(peer),
          unit: 'missed',
          goal: 1,
        }),
      );
    }
  }
  const replayed = requests * shares.length * Object.keys(traffics).length;
  for (const policy of policyNames) {
    const rate = replayed / (seconds[policy] ?? NaN) / 1e6;
    figures.push(
      moreIsBetter({ name: `rate, ${policy}`, ours: rate, peer: 'limit', theirs: 0.5, unit: 'M/s', goal: 1 }),
    );
  }
  const notes = [
    `Misses and byte misses of every policy on ${requests} made-up requests: Zipf's law over ${requests / 20} objects, a fifth of the requests for objects that nobody asks for again. Capacity as a share of all distinct bytes.`,
    `Figures compare ${policyDefault} with ${peer} by missed bytes; rates are requests replayed in a second of processor time, one capacity after the other; the limit is 10 M requests in 20 s.`,
  ];
  return { figures, notes, details: { head: ['traffic', 'capacity', ...policyNames], rows } };
});

function record(trace: Iterable<TraceRequest>, requests: number): Recorded {
  const ids = new Float64Array(requests);
  const sizesBytes = new Float64Array(requests);
  const next = new Float64Array(requests).fill(Infinity);
  const last = new Map<number, number>();
  let [number, bytes, distinctBytes] = [0, 0, 0];
  for (const { id, sizeBytes } of trace) {
    const before = last.get(id);
    if (before === undefined) distinctBytes += sizeBytes;
    else next[before] = number;
    last.set(id, number);
    ids[number] = id;
    sizesBytes[number++] = sizeBytes;
    bytes += sizeBytes;
  }
  return { ids, sizesBytes, next, bytes, distinctBytes };
}

function replay(name: PolicyName, capacityBytes: number, { ids, sizesBytes, next, bytes }: Recorded) {
  const policy = createPolicy(name, capacityBytes);
  const object = { id: 0, sizeBytes: 0, nextAccess: 0 };
  let [misses, missBytes] = [0, 0];
  const started = process.cpuUsage();
  for (let number = 0; number < ids.length; number++) {
    object.id = ids[number]!;
    object.sizeBytes = sizesBytes[number]!;
    object.nextAccess = next[number]!;
    if (policy.request(object)) continue;
    misses++;
    missBytes += object.sizeBytes;
  }
  return {
    missRatio: misses / ids.length,
    byteMissRatio: missBytes / bytes,
    seconds: process.cpuUsage(started).user / 1e6,
  };
}
