import type { LoadJudgement } from '../core/judge-load.ts';
import type { EngineLimits, EngineLoad } from './engine.ts';

/** What an engine says of its load: as free as it was judged, and no freer than its caps leave it. */
export function engineLoad(
  { connections, liveRequests }: Pick<EngineLoad, 'connections' | 'liveRequests'>,
  { connectionsMax, requestsMax }: Pick<EngineLimits, 'connectionsMax' | 'requestsMax'>,
  { level, reasons, headroom }: LoadJudgement,
): EngineLoad {
  const used = Math.max(connections / connectionsMax, liveRequests / requestsMax);
  return { liveRequests, connections, headroom: Math.min(headroom, Math.max(0, 1 - used)), level, reasons };
}
