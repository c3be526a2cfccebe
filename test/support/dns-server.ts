import { createSystemChance } from '../../common/runtime/chance.ts';
import { createSystemClock } from '../../common/runtime/clock.ts';
import { createLog } from '../../common/runtime/log.ts';
import { createBrain } from '../../steering/brain.ts';
import type { ProbeState } from '../../steering/core/health.ts';
import { rankPolicyDefault } from '../../steering/core/rank.ts';
import type { SteeringView } from '../../steering/core/view.ts';
import { loadNativeAddon } from '../../steering/native-addon.ts';
import { startDnsServer, type DnsServer, type DnsServerOptions } from '../../steering/dns/server.ts';
import { WorkerFeed } from '../../steering/dns/worker-feed.ts';
import type { SteerPolicy } from '../../steering/dns/worker-messages.ts';
import { zoneOptions } from './dns-zones.ts';
import { appliance, mapOf, route, viewOf, type TestMap } from './steering-maps.ts';

export type DnsStart = Partial<DnsServerOptions> & {
  readonly udp?: 'native' | 'dgram';
  /** Instead of the small map. */
  readonly body?: TestMap;
};

/** A server whose map and health a test may change. */
export interface TestDns extends DnsServer {
  setMap(sequence: number, body: TestMap): void;
  setHealth(health: ReadonlyMap<string, ProbeState>): void;
}

// isp-a-1 serves 10.0.0.0/8 and 2001:db8::/32; isp-b-1 everybody, and it alone holds the title of shard abcde.
const nodes = [
  appliance('isp-a-1', {
    url: 'https://isp-a-1.test:8443',
    addresses: ['192.0.2.1', '2001:db8::1'],
    routes: [route('10.0.0.0/8'), route('2001:db8::/32')],
  }),
  appliance('isp-b-1', { url: 'https://isp-b-1.test', addresses: ['192.0.2.2'], routes: [] }),
];
const bundles = [{ bundle: 'abcde'.padEnd(64, '0'), holders: [1] }];

/** What is served unless told otherwise. */
export const smallMap = mapOf(nodes, { bundles });

const ttl = { healthyS: 20, incidentMinS: 5, incidentMaxS: 5 };
const policy: SteerPolicy = {
  policy: rankPolicyDefault,
  dnsTtl: ttl,
  placeUnknown: undefined,
  incidentMs: 60_000,
};

/** Starts DNS over a small map, with UDP of either kind; the caller closes it. */
export async function startDns({
  udp = 'native',
  body = smallMap,
  ...more
}: DnsStart = {}): Promise<TestDns> {
  const log = createLog({ name: 'test', level: 'warn' });
  const clock = createSystemClock();
  const chance = createSystemChance();
  let view: SteeringView | undefined;
  let health: ReadonlyMap<string, ProbeState> = new Map();
  const feed = new WorkerFeed(() => ({ health, holding: false, changedAgoMs: undefined }));
  const setMap = (sequence: number, next: TestMap): void => {
    view = viewOf(next, sequence);
    feed.mapChanged(view);
  };
  setMap(77, body);
  const source = createBrain({
    ...policy,
    ttl,
    view: () => view,
    monitor: { health: () => health, holding: () => false },
    changedAtMs: () => undefined,
    isConnected: () => true,
    clock,
    fraction: () => 0,
  });
  const server = await startDnsServer({
    host: '127.0.0.1',
    port: 0,
    zone: zoneOptions,
    source,
    addon: udp === 'native' ? loadNativeAddon(log) : undefined,
    feed,
    policy,
    decisions: { add: () => undefined },
    repliesPerSecond: 1000,
    tcpConnectionsMax: 100,
    tcpIdleMs: 5_000,
    clock,
    chance,
    onCrash: (error) => {
      throw error;
    },
    ...more,
  });
  const setHealth = (next: ReadonlyMap<string, ProbeState>): void => {
    health = next;
    feed.healthChanged();
  };
  return { ...server, setMap, setHealth };
}
