import type { Chance } from '../common/runtime/chance.ts';
import type { Clock } from '../common/runtime/clock.ts';
import type { Log } from '../common/runtime/log.ts';
import type { ControlPlaneConfig } from './config.ts';

/** What a control plane is given from outside. */
export interface Base {
  config: ControlPlaneConfig;
  clock: Clock;
  chance: Chance;
  log: Log;
}
