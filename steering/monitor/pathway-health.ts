import type { BoxReport, PathwayHealth } from '../../common/contract/health.ts';
import type { LastProbe, NodeHealth } from '../core/health.ts';
import type { MergedNode } from '../core/quorum.ts';

/** What is believed of a box, as it goes over the wire. */
export function pathwayHealth(
  id: string,
  health: NodeHealth,
  seen: {
    stream: NonNullable<PathwayHealth['stream']>;
    report: BoxReport | undefined;
    merged: MergedNode | undefined;
    lastProbe: LastProbe;
  },
): PathwayHealth {
  const { verdict, reason, sinceMs } = health;
  const { lastProbeMs, probeMs } = seen.lastProbe;
  const v4 = seen.merged?.verdicts.get(4);
  const v6 = seen.merged?.verdicts.get(6);
  return {
    id,
    healthy: verdict === 'up',
    verdict,
    reason,
    sinceMs: Math.round(sinceMs),
    ...(v4 !== undefined && { v4 }),
    ...(v6 !== undefined && { v6 }),
    stream: seen.stream,
    ...(seen.report !== undefined && { said: seen.report }),
    ...(lastProbeMs !== undefined && { lastProbeMs: Math.round(lastProbeMs) }),
    ...(probeMs !== undefined && { probeMs }),
  };
}
