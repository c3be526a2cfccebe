import { createPolicy, type EvictionPolicy, type PolicyName } from '../core/eviction/policy.ts';
import type { ObjectId } from '../core/eviction/rule.ts';
import { NextAccesses } from './next-accesses.ts';
import { readTrace, type ReadOptions, type TraceFile } from './trace-file.ts';
import { traceInvalid } from './trace-reader.ts';

/** What one policy made of a trace with one capacity. Every request counts, from the first on. */
export interface ReplayResult {
  readonly policy: PolicyName;
  readonly capacityBytes: number;
  readonly misses: number;
  readonly missRatio: number;
  /** Bytes of the requests that missed. */
  readonly missBytes: number;
  readonly byteMissRatio: number;
}

export interface ReplayReport {
  readonly requests: number;
  /** Bytes of all requests. */
  readonly bytes: number;
  /** Torn lines of a log that were passed over. */
  readonly skippedLines: number;
  /** By capacity, then by policy, each in the order that was asked for. */
  readonly results: readonly ReplayResult[];
}

export interface Replay {
  readonly trace: TraceFile;
  readonly policies: readonly PolicyName[];
  readonly capacitiesBytes: readonly number[];
}

/**
 * Replays a trace through every policy with every capacity, in one pass over it; in two where Belady's is among them and the format does not
 * tell the future.
 *
 * @throws PATH_UNREADABLE, TRACE_INVALID
 */
export async function replay(
  { trace, policies, capacitiesBytes }: Replay,
  { signal, onProgress }: Pick<ReadOptions, 'signal' | 'onProgress'>,
): Promise<ReplayReport> {
  const knowsFuture = trace.format === 'oracle-general';
  const passes = policies.includes('belady') && !knowsFuture ? 2 : 1;
  const future = passes === 2 ? new NextAccesses() : undefined;
  if (future !== undefined) {
    await readTrace(trace, {
      signal,
      onProgress: (fraction) => onProgress(fraction / passes),
      onRequest: (id) => future.add(id),
    });
  }
  const caches = capacitiesBytes.flatMap((capacityBytes) =>
    policies.map((name) => new ReplayedCache(createPolicy(name, capacityBytes))),
  );
  let requests = 0;
  let bytes = 0;
  // One object for all requests: at millions a second, each one more is felt.
  const object: { id: ObjectId; sizeBytes: number; nextAccess: number } = {
    id: 0,
    sizeBytes: 0,
    nextAccess: 0,
  };
  const skippedLines = await readTrace(trace, {
    signal,
    onProgress: (fraction) => onProgress((passes - 1 + fraction) / passes),
    onRequest(id, sizeBytes, nextAccess) {
      object.id = id;
      object.sizeBytes = sizeBytes;
      object.nextAccess = nextAccess ?? future?.after(requests) ?? Infinity;
      requests++;
      bytes += sizeBytes;
      for (const cache of caches) cache.request(object);
    },
  });
  if (requests === 0) throw traceInvalid(trace.path, `holds no request of the format ${trace.format}`);
  return { requests, bytes, skippedLines, results: caches.map((cache) => cache.result(requests, bytes)) };
}

/** A policy and what was counted of it. */
class ReplayedCache {
  readonly #policy: EvictionPolicy;
  #misses = 0;
  #missBytes = 0;

  constructor(policy: EvictionPolicy) {
    this.#policy = policy;
  }

  request(object: { readonly id: ObjectId; readonly sizeBytes: number; readonly nextAccess: number }): void {
    if (this.#policy.request(object)) return;
    this.#misses++;
    this.#missBytes += object.sizeBytes;
  }

  result(requests: number, bytes: number): ReplayResult {
    return {
      policy: this.#policy.name,
      capacityBytes: this.#policy.capacityBytes,
      misses: this.#misses,
      missRatio: this.#misses / requests,
      missBytes: this.#missBytes,
      byteMissRatio: this.#missBytes / bytes,
    };
  }
}
