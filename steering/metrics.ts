import type { Counter } from 'prom-client';
import type { Metrics, Sample } from '../common/runtime/metrics.ts';
import type { Brain } from './brain.ts';
import type { Monitor } from './monitor/monitor.ts';
import { countAt, type ReplyCounts } from './dns/reply-counts.ts';
import type { Transport } from './dns/responder.ts';
import { rcodes } from './dns/wire.ts';

export interface SteeringMetrics {
  readonly registry: Metrics;
  readonly mapsRefused: Counter<'code'>;
  readonly viewsRefused: Counter<'code'>;
  readonly healthChanges: Counter<'verdict'>;
  /** Adds the gauges that are read from the brain when they are asked for. */
  watch(brain: Brain, monitor: Pick<Monitor, 'health'>, nowMs: () => number): void;
  /** Adds the counters of DNS, which are counted elsewhere. */
  watchDns(counts: Readonly<Record<Transport, ReplyCounts>>): void;
}

/** Steering's own metrics, beside those of every process. */
export function createSteeringMetrics(registry: Metrics): SteeringMetrics {
  return {
    registry,
    mapsRefused: registry.counter({
      name: 'nearcast_steering_maps_refused_total',
      help: 'Maps that were not taken, by problem code',
      labels: ['code'],
    }),
    viewsRefused: registry.counter({
      name: 'nearcast_steering_views_refused_total',
      help: 'Views of other steering nodes that were not taken, by problem code',
      labels: ['code'],
    }),
    healthChanges: registry.counter({
      name: 'nearcast_steering_health_changes_total',
      help: 'Changes of what is believed of a box, by what is since',
      labels: ['verdict'],
    }),
    watch(brain, monitor, nowMs) {
      registry.gauge({
        name: 'nearcast_steering_map_issued_timestamp_seconds',
        help: 'When the map in force was signed; 0 for none',
        collect: (gauge) => gauge.set((brain.view()?.issuedAtMs ?? 0) / 1000),
      });
      registry.gauge({
        name: 'nearcast_steering_map_left_seconds',
        help: 'Until the map in force is past its notAfter; negative since then',
        collect: (gauge) => gauge.set(((brain.view()?.notAfterMs ?? nowMs()) - nowMs()) / 1000),
      });
      registry.gauge({
        name: 'nearcast_steering_healthy_nodes',
        help: 'Boxes of the map that are believed to be well',
        collect: (gauge) =>
          gauge.set([...monitor.health().values()].filter(({ verdict }) => verdict === 'up').length),
      });
    },
    watchDns(counts) {
      registry.read({
        name: 'nearcast_steering_dns_replies_total',
        help: 'DNS packets by transport and code of the reply, or why there was none',
        type: 'counter',
        samples: () => samplesOf(counts, replyResults),
      });
      registry.read({
        name: 'nearcast_steering_dns_cut_replies_total',
        help: 'DNS replies that were cut to their question, by transport and reason',
        type: 'counter',
        samples: () => samplesOf(counts, cutReasons),
      });
    },
  };
}

const replyResults = {
  label: 'rcode',
  places: { ...rcodes, ignored: countAt.ignored, limited: countAt.dropped },
};
const cutReasons = { label: 'reason', places: { size: countAt.truncated, limited: countAt.slipped } };

function samplesOf(
  counts: Readonly<Record<Transport, ReplyCounts>>,
  { label, places }: { label: string; places: Readonly<Record<string, number>> },
): Sample[] {
  return Object.entries(counts).flatMap(([transport, values]) =>
    Object.entries(places).map(([name, at]) => ({
      labels: { transport, [label]: name },
      value: values[at] ?? 0,
    })),
  );
}
