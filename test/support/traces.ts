import { pick, seededRandom } from './seeded.ts';

/** One request of a made-up trace. */
export interface TraceRequest {
  readonly id: number;
  readonly sizeBytes: number;
}

export interface ZipfOptions {
  readonly seed: number;
  readonly requests: number;
  /** Objects that are asked for by their rank. */
  readonly objects: number;
  /** Exponent of Zipf's law. */
  readonly alpha: number;
  /** Share of the requests that are for an object nobody asks for again. */
  readonly oneHitShare?: number;
  /** Share of the ranks that go to new objects over the whole trace, evenly spread over it. */
  readonly churnShare?: number;
  /** Bytes of an object; it is asked once for each object. */
  readonly sizeOf: (random: () => number) => number;
}

/** A made-up trace: popularity by Zipf's law, one-hit wonders between, popular objects replaced by new ones. The same options make the same trace. */
export function* zipfTrace(options: ZipfOptions): Generator<TraceRequest> {
  const { seed, requests, objects, alpha, oneHitShare = 0, churnShare = 0, sizeOf } = options;
  const random = seededRandom(seed);
  const cumulative = zipfShares(objects, alpha);
  const idOfRank = Uint32Array.from({ length: objects }, (_, rank) => rank);
  const sizeOfRank = Float64Array.from(idOfRank, () => sizeOf(random));
  const chanceOfChange = (churnShare * objects) / requests;
  let nextId = objects;
  for (let number = 0; number < requests; number++) {
    if (random() < chanceOfChange) {
      const rank = pick(random, objects);
      idOfRank[rank] = nextId++;
      sizeOfRank[rank] = sizeOf(random);
    }
    if (random() < oneHitShare) yield { id: nextId++, sizeBytes: sizeOf(random) };
    else {
      const rank = rankAt(cumulative, random());
      yield { id: idOfRank[rank]!, sizeBytes: sizeOfRank[rank]! };
    }
  }
}

/** For each request the number of the next one for the same object, Infinity for none. */
export function nextAccesses(trace: readonly TraceRequest[]): number[] {
  const last = new Map<number, number>();
  const next = new Array<number>(trace.length).fill(Infinity);
  trace.forEach(({ id }, number) => {
    const before = last.get(id);
    if (before !== undefined) next[before] = number;
    last.set(id, number);
  });
  return next;
}

/** A trace as oracleGeneral records. */
export function oracleGeneral(trace: readonly TraceRequest[]): Buffer {
  const next = nextAccesses(trace);
  const bytes = Buffer.alloc(24 * trace.length);
  trace.forEach(({ id, sizeBytes }, number) => {
    const start = 24 * number;
    bytes.writeUInt32LE(number, start);
    bytes.writeBigUInt64LE(BigInt(id), start + 4);
    bytes.writeUInt32LE(sizeBytes, start + 12);
    bytes.writeBigInt64LE(next[number] === Infinity ? -1n : BigInt(next[number]!), start + 16);
  });
  return bytes;
}

function zipfShares(objects: number, alpha: number): Float64Array {
  const cumulative = new Float64Array(objects);
  let sum = 0;
  for (let rank = 0; rank < objects; rank++) {
    sum += (rank + 1) ** -alpha;
    cumulative[rank] = sum;
  }
  return cumulative.map((share) => share / sum);
}

function rankAt(cumulative: Float64Array, share: number): number {
  let [low, high] = [0, cumulative.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (cumulative[middle]! < share) low = middle + 1;
    else high = middle;
  }
  return low;
}
