import type { StatusView } from '../../../common/contract/status.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { StatusSources } from './ports.ts';

/** The whole system at a glance. */
export interface Status {
  view(): StatusView;
}

/** Makes the status over what the services know in memory. */
export function createStatus(options: {
  sources: StatusSources;
  clock: Clock;
  version: string;
  steeringUrl: string | undefined;
}): Status {
  const { sources, clock, version, steeringUrl } = options;
  const startedAtMs = clock.nowMs();
  return {
    view: () => ({
      name: 'control-plane',
      version,
      nowMs: clock.nowMs(),
      startedAtMs,
      steeringUrl: steeringUrl ?? null,
      nodes: sources.nodes(),
      titles: sources.titles(),
      fill: sources.fill(),
      sessionsToday: sources.sessionsToday(),
    }),
  };
}
