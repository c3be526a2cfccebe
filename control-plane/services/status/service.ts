import type { StatusView } from '../../../common/contract/status.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { isCoded } from '../../../common/runtime/errors.ts';

/** The whole system at a glance. */
export interface Status {
  view(): Promise<StatusView>;
}

/** Makes the status over what the services know. */
export function createStatus(options: {
  counts: () => Pick<StatusView, 'nodes' | 'titles' | 'fill'>;
  /** Asked of playback, which may be away. */
  sessionsToday: () => Promise<number>;
  clock: Clock;
  version: string;
  steeringUrl: string | undefined;
}): Status {
  const { counts, clock, version, steeringUrl } = options;
  const startedAtMs = clock.nowMs();
  const sessionsToday = async (): Promise<number | null> => {
    try {
      return await options.sessionsToday();
    } catch (error) {
      if (isCoded(error, 'UNAVAILABLE')) return null;
      throw error;
    }
  };
  return {
    view: async () => ({
      name: 'control-plane',
      version,
      nowMs: clock.nowMs(),
      startedAtMs,
      steeringUrl: steeringUrl ?? null,
      ...counts(),
      sessionsToday: await sessionsToday(),
    }),
  };
}
