import type { Engine, EngineLimits, EngineShare } from './engine.ts';
import type { NativeAddon } from './native-addon.ts';
import { NativeEngine, type NativeRecords } from './native-engine.ts';
import { createNodeEngine, type NodeEngineOptions } from './node-engine.ts';

export interface EngineOptions extends NodeEngineOptions {
  /** Limits of the whole box. */
  limits: EngineLimits;
  /** Absent where one process serves alone. */
  share: EngineShare | undefined;
  /** Absent where the addon is not wanted or cannot be used. */
  addon: NativeAddon | undefined;
  /** Files that the addon keeps open, and its memory for reads from disks. */
  filesMax: number;
  readMemoryBytes: number;
  /** What the addon counts, for metrics. */
  counters: Float64Array<ArrayBuffer>;
  /** Absent where no access log is kept. */
  requestRecords: NativeRecords | undefined;
}

/** Makes the engine that this process serves with: TypeScript's, with the addon in front where there is one. */
export function createEngine(options: EngineOptions): Engine {
  const { addon, share } = options;
  const part = partOf(options.limits, share);
  const node = createNodeEngine({ ...options, limits: part });
  if (addon === undefined) return node;
  const { connectionsMax, connectionsPerAddressMax } = options.limits;
  // Connections are counted together; requests are each worker's own.
  const limits = share?.capsFd === undefined ? part : { ...part, connectionsMax, connectionsPerAddressMax };
  return new NativeEngine({ ...options, addon, limits }, node);
}

/** A worker's part of the box's limits; what a kernel that hashes connections gives it is near that. */
function partOf(limits: EngineLimits, share: EngineShare | undefined): EngineLimits {
  if (share === undefined) return limits;
  const part = (most: number): number => Math.ceil(most / share.workers);
  return {
    ...limits,
    connectionsMax: part(limits.connectionsMax),
    requestsMax: part(limits.requestsMax),
  };
}
