import { coded, type CodedError } from '../common/runtime/errors.ts';
import { parseSizeBytes } from '../common/runtime/quantities.ts';
import { policyNames } from './core/eviction/policy.ts';
import { replay, type Replay, type ReplayReport } from './lab/replay.ts';
import { traceFormats } from './lab/trace-file.ts';

/** What `nearcast lab cache` was asked, as it was written on the command line. */
export interface CacheLabRequest {
  readonly trace: string;
  readonly format: string;
  /** Names; all policies where none is named. */
  readonly policies: readonly string[];
  /** `128MiB` and the like. */
  readonly sizes: readonly string[];
  readonly signal: AbortSignal;
  /** How much is done, 0 to 1. */
  readonly onProgress: (fraction: number) => void;
}

/** Policies and sizes together: each pair takes memory of its own. */
const pairsMax = 256;

/**
 * Replays a trace through the policies that a box evicts by.
 *
 * @throws INVALID, PATH_UNREADABLE, TRACE_INVALID
 */
export async function replayTrace(request: CacheLabRequest): Promise<ReplayReport> {
  return await replay(parseRequest(request), request);
}

function parseRequest({ trace, format, policies, sizes }: CacheLabRequest): Replay {
  const asked = {
    trace: { path: trace, format: oneOf(traceFormats, format, '--format') },
    policies: unique(policies.map((name) => oneOf(policyNames, name, '--policy'))),
    capacitiesBytes: unique(sizes.map(parseCapacity)),
  };
  const named = asked.policies.length === 0 ? policyNames : asked.policies;
  if (asked.capacitiesBytes.length === 0)
    throw invalid('--size', 'names no size; write for instance 128MiB,1GiB');
  if (named.length * asked.capacitiesBytes.length > pairsMax)
    throw invalid('--size', `and --policy make more than ${pairsMax} pairs; name fewer`);
  return { ...asked, policies: named };
}

function oneOf<Name extends string>(names: readonly Name[], text: string, option: string): Name {
  const found = names.find((name) => name === text.toLowerCase());
  if (found === undefined)
    throw invalid(option, `is not ${JSON.stringify(text)} but one of ${names.join(', ')}`);
  return found;
}

function parseCapacity(text: string): number {
  const capacityBytes = Math.floor(parseSizeBytes(text) ?? 0);
  if (capacityBytes < 1 || !Number.isSafeInteger(capacityBytes))
    throw invalid('--size', `${JSON.stringify(text)} is no size above 0; write for instance 128MiB,1GiB`);
  return capacityBytes;
}

function unique<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}

function invalid(option: string, detail: string): CodedError {
  return coded('INVALID', `${option} ${detail}`);
}
