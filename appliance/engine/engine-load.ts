import type { LoadJudgement } from '../core/judge-load.ts';
import type { EngineLimits, EngineLoad } from './engine.ts';

/** What an engine says of its load: as free as it was judged, and no freer than its caps leave it. */
export function engineLoad(
  { connections, liveRequests, failures }: Pick<EngineLoad, 'connections' | 'liveRequests' | 'failures'>,
  { connectionsMax, requestsMax }: Pick<EngineLimits, 'connectionsMax' | 'requestsMax'>,
  { level, reasons, headroom }: LoadJudgement,
): EngineLoad {
  const used = Math.max(connections / connectionsMax, liveRequests / requestsMax);
  const left = Math.min(headroom, Math.max(0, 1 - used));
  return { liveRequests, connections, failures, headroom: left, level, reasons };
}
