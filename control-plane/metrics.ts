import type { Metrics } from '../common/runtime/metrics.ts';
import type { StatusView } from '../common/contract/status.ts';

/** Shows what the status shows, for those who watch over time. */
export function measureStatus(
  metrics: Metrics,
  view: () => Pick<StatusView, 'nodes' | 'titles' | 'fill'>,
): void {
  metrics.gauge({
    name: 'nearcast_control_nodes',
    help: 'Enrolled nodes by role and state',
    labels: ['role', 'state'],
    collect: (gauge) => {
      gauge.reset();
      for (const { role, state } of view().nodes) gauge.inc({ role, state });
    },
  });
  metrics.gauge({
    name: 'nearcast_control_titles_count',
    help: 'Titles by state',
    labels: ['state'],
    collect: (gauge) => {
      for (const [state, count] of Object.entries(view().titles)) gauge.set({ state }, count);
    },
  });
  metrics.gauge({
    name: 'nearcast_control_missing_files',
    help: 'Files that appliances are to hold and do not hold yet',
    collect: (gauge) => {
      gauge.set(view().fill.missingFiles);
    },
  });
}
