import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Component } from '../../common/runtime/lifecycle.ts';
import { listenFailed } from '../../common/runtime/listen.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { SteeringConfig } from '../config.ts';
import type { DecisionSink } from '../core/history-records.ts';
import type { SteeringMetrics } from '../metrics.ts';
import type { NativeAddon } from '../native-addon.ts';
import { startDnsServer, type DnsServer } from './server.ts';
import type { WorkerFeed } from './worker-feed.ts';
import type { SteerPolicy } from './worker-messages.ts';
import type { ZoneOptions, ZoneSource } from './zone.ts';

const TCP_CONNECTIONS_MAX = 10_000;
const TCP_IDLE_MS = 10_000;

export interface DnsComponentOptions {
  readonly config: SteeringConfig;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly metrics: SteeringMetrics;
  readonly addon: NativeAddon | undefined;
  readonly source: ZoneSource;
  readonly feed: WorkerFeed;
  readonly policy: SteerPolicy;
  readonly decisions: Pick<DecisionSink, 'add'>;
}

/** DNS as a part of the steering process; `address` tells where it listens. */
export function createDnsComponent(options: DnsComponentOptions): Component & { address: () => string } {
  const { config, metrics } = options;
  let server: DnsServer | undefined;
  const address = { host: config.dnsHost, port: config.dnsPort };
  return {
    name: 'dns',
    address: () => `${address.host}:${server?.port ?? address.port}`,
    start: async ({ crash }) => {
      try {
        server = await startDnsServer({
          ...options,
          ...address,
          zone: zoneOf(config),
          repliesPerSecond: config.dnsRepliesPerSecond,
          tcpConnectionsMax: TCP_CONNECTIONS_MAX,
          tcpIdleMs: TCP_IDLE_MS,
          onCrash: crash,
        });
        metrics.watchDns(server.counts);
      } catch (error) {
        throw listenFailed(error, address, '--dns-port');
      }
    },
    stop: async () => {
      await server?.close();
    },
  };
}

function zoneOf(config: SteeringConfig): ZoneOptions {
  return {
    zone: config.zone,
    steeredNames: config.steeredNames,
    servers: config.nameServers,
    serverAddresses: config.nameServerAddresses,
    issuers: config.certificateIssuers,
    nodeTtlS: config.dnsTtlHealthyS,
    negativeTtlS: config.dnsTtlIncidentS,
  };
}
