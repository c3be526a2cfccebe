import type { Clock } from '../../common/runtime/clock.ts';
import type { Keyring } from '../../common/runtime/keyring.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import type { ApplianceConfig } from '../config.ts';
import type { EarlyWorkers } from '../early-start.ts';
import type { NativeAddon } from '../engine/native-addon.ts';
import type { PullLink } from '../pull/pull-link.ts';
import { createMisses } from '../pull/create-misses.ts';
import type { Storage } from '../storage.ts';
import { LocalServing } from './local.ts';
import { PoolServing } from './pool.ts';
import type { ServedListener, ServingUnit } from './unit.ts';

export interface ServingOptions {
  config: ApplianceConfig;
  /** The box's node id. */
  name: string;
  version: string;
  clock: Clock;
  log: Log;
  keyring: Keyring;
  storage: Storage;
  /** Absent where what is not held is refused. */
  pulls: PullLink | undefined;
  metrics: Metrics;
  /** Absent where the native engine is not wanted or not there. */
  addon: NativeAddon | undefined;
  /** Workers that were started already. */
  early: EarlyWorkers | undefined;
  onServed: ServedListener;
}

/** Makes what the box serves with: this process alone, or as many workers as are configured. */
export function createServing(options: ServingOptions): ServingUnit {
  const { config, keyring, storage, pulls } = options;
  const { store, content } = storage;
  if (config.workers > 0) return new PoolServing({ ...options, store });
  const serving = new LocalServing({
    ...options,
    findKey: (kid, use) => keyring.find(kid, use),
    content,
    misses: pulls && createMisses({ link: pulls, held: content, workers: 1 }),
    openFiles: () => storage.openFiles(),
    listenAt: { host: config.host, port: config.port },
  });
  store?.onChange(({ file }) => {
    serving.forget(file);
  });
  return serving;
}
