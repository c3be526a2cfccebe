import type { Counter } from 'prom-client';
import type { Metrics } from '../common/runtime/metrics.ts';
import type { Brain } from './brain.ts';

export interface SteeringMetrics {
  readonly registry: Metrics;
  readonly mapsRefused: Counter<'code'>;
  readonly healthChanges: Counter<'verdict'>;
  readonly dnsReplies: Counter<'transport' | 'rcode'>;
  /** Adds the gauges that are read from the brain when they are asked for. */
  watch(brain: Brain, nowMs: () => number): void;
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
    healthChanges: registry.counter({
      name: 'nearcast_steering_health_changes_total',
      help: 'Changes of what the probes say of a node, by what they say since',
      labels: ['verdict'],
    }),
    dnsReplies: registry.counter({
      name: 'nearcast_steering_dns_replies_total',
      help: 'DNS packets by transport and code of the reply',
      labels: ['transport', 'rcode'],
    }),
    watch(brain, nowMs) {
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
        help: 'Nodes of the map that the probes see well',
        collect: (gauge) => gauge.set(brain.health().filter(({ healthy }) => healthy).length),
      });
    },
  };
}
