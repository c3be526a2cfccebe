import type { BrainOptions } from '../brain.ts';
import type { Decision } from '../core/history-records.ts';
import type { NodeHealth } from '../core/health.ts';
import type { ViewAppliance, ViewParts } from '../core/view.ts';
import type { ReplyCounts } from './reply-counts.ts';
import type { ZoneOptions } from './zone.ts';

/** The part of the brain's settings that DNS answers depend on. */
export type SteerPolicy = Pick<BrainOptions, 'policy' | 'dnsTtl' | 'placeUnknown' | 'incidentMs'>;

/** What a thread that answers UDP is started with. */
export interface WorkerStart {
  /** The bound socket, which stays the main thread's to close. */
  readonly fd: number;
  readonly zone: ZoneOptions;
  readonly policy: SteerPolicy;
  readonly cookieRoot: Uint8Array;
  readonly repliesPerSecond: number;
  readonly seed: number;
  readonly counts: ReplyCounts;
}

/** What is believed of the nodes. */
export interface HealthState {
  readonly health: ReadonlyMap<string, NodeHealth>;
  readonly holding: boolean;
  /** How long ago the last change was; undefined where there was none. (Clocks of threads begin at different times.) */
  readonly changedAgoMs: number | undefined;
}

/** The same as it is told: what answers depend on and is not as it was told before. */
export interface HealthChanges extends Omit<HealthState, 'health'> {
  readonly changed: readonly (readonly [id: string, health: NodeHealth])[];
  /** Nodes of whom nothing is believed any more. */
  readonly gone: readonly string[];
}

export type ToWorker =
  /** Some of the appliances of the next map; `from` 0 begins anew. */
  | { readonly kind: 'appliances'; readonly from: number; readonly appliances: readonly ViewAppliance[] }
  /** The rest of a map, behind all of its appliances. */
  | { readonly kind: 'map'; readonly parts: Omit<ViewParts, 'appliances'> }
  | { readonly kind: 'places'; readonly bytes: SharedArrayBuffer }
  | { readonly kind: 'health'; readonly state: HealthChanges }
  | { readonly kind: 'stop' };

/** A decision of the thread, one of its sample. */
export interface FromWorker {
  readonly weight: number;
  readonly decision: Decision;
}
