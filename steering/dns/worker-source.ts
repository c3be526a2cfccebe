import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { createBrain } from '../brain.ts';
import { DecisionSampler, samplesPerSecond } from '../core/decision-sampler.ts';
import type { Decision } from '../core/history-records.ts';
import type { Places } from '../core/rank-query.ts';
import type { NodeHealth } from '../core/health.ts';
import { openView, type SteeringView, type ViewAppliance } from '../core/view.ts';
import { openPlaceBook } from '../geo/place-book.ts';
import type { SteerPolicy, ToWorker } from './worker-messages.ts';
import type { ZoneSource } from './zone.ts';

/** The same brain in another thread: it knows what messages tell, and so answers what the main thread's would. */
export interface WorkerSource {
  readonly source: ZoneSource;
  take(message: Exclude<ToWorker, { kind: 'stop' }>): void;
}

export interface WorkerSourceTools {
  readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs'>;
  readonly chance: Chance;
  /** Told a sample of the decisions, each with how many it stands for. */
  readonly onDecision: (weight: number, decision: Decision) => void;
}

export function createWorkerSource(
  settings: SteerPolicy,
  { clock, chance, onDecision }: WorkerSourceTools,
): WorkerSource {
  let view: SteeringView | undefined;
  let places: Places | undefined;
  let appliances: readonly ViewAppliance[] = [];
  const health = new Map<string, NodeHealth>();
  let holding = false;
  let changedAtMs: number | undefined;
  const sampler = new DecisionSampler({ perSecond: samplesPerSecond, fraction: () => chance.fraction() });
  const source = createBrain({
    ...settings,
    ttl: settings.dnsTtl,
    view: () => view,
    places: () => places,
    monitor: { health: () => health, holding: () => holding },
    changedAtMs: () => changedAtMs,
    isConnected: () => true,
    decisions: { take: () => sampler.take(() => clock.monotonicMs()), add: onDecision },
    clock,
    fraction: () => chance.fraction(),
  });
  return {
    source,
    take(message) {
      if (message.kind === 'places') {
        places = openPlaceBook(message.bytes);
        return;
      }
      if (message.kind === 'appliances') {
        appliances = [...appliances.slice(0, message.from), ...message.appliances];
        return;
      }
      if (message.kind === 'map') {
        view = openView({ ...message.parts, appliances });
        return;
      }
      const { changed, gone, changedAgoMs } = message.state;
      ({ holding } = message.state);
      for (const [id, believed] of changed) health.set(id, believed);
      for (const id of gone) health.delete(id);
      changedAtMs = changedAgoMs === undefined ? undefined : clock.monotonicMs() - changedAgoMs;
    },
  };
}
