import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { DecisionSink } from '../core/history-records.ts';
import { Cookies } from './cookies.ts';
import type { NativeAddon } from '../native-addon.ts';
import { RateLimit } from './rate-limit.ts';
import { createReplyCounts, type ReplyCounts } from './reply-counts.ts';
import { Responder, type Transport } from './responder.ts';
import { listenTcp, type Listening } from './tcp.ts';
import { listenDgram } from './udp-dgram.ts';
import { listenNative } from './udp-native.ts';
import type { WorkerFeed } from './worker-feed.ts';
import type { SteerPolicy } from './worker-messages.ts';
import type { ZoneOptions, ZoneSource } from './zone.ts';

export interface DnsServerOptions {
  readonly host: string;
  /** 0 picks a free one, the same for UDP and TCP. */
  readonly port: number;
  readonly zone: ZoneOptions;
  readonly source: ZoneSource;
  /** Undefined: UDP by node:dgram in this thread. Else in one of its own, which `feed` keeps at the source's state. */
  readonly addon: NativeAddon | undefined;
  readonly feed: WorkerFeed;
  readonly policy: SteerPolicy;
  /** Told a sample of the decisions of another thread; those of this one are told by the source. */
  readonly decisions: Pick<DecisionSink, 'add'>;
  /** UDP replies of one kind a second to one network. */
  readonly repliesPerSecond: number;
  readonly tcpConnectionsMax: number;
  readonly tcpIdleMs: number;
  readonly clock: Clock;
  readonly chance: Chance;
  /** Told once if UDP is answered no longer. */
  readonly onCrash: (error: unknown) => void;
}

export interface DnsServer {
  readonly port: number;
  /** What was replied, by transport. */
  readonly counts: Readonly<Record<Transport, ReplyCounts>>;
  close(): Promise<void>;
}

const PORT_TRIES = 8;
const SECRET_BYTES = 32;

/** Starts the DNS server on UDP and TCP. Rejects with the system's error where the address cannot be listened on. */
export async function startDnsServer(options: DnsServerOptions): Promise<DnsServer> {
  const { host, zone, source, clock } = options;
  const counts = { udp: createReplyCounts(), tcp: createReplyCounts() };
  const cookieRoot = options.chance.bytes(SECRET_BYTES);
  const common = { zone, source, cookies: new Cookies(cookieRoot) };
  for (let tries = 1; ; tries++) {
    const tcp = await listenTcp({
      host,
      port: options.port,
      responder: new Responder({ ...common, transport: 'tcp', limit: undefined, counts: counts.tcp }),
      clock,
      connectionsMax: options.tcpConnectionsMax,
      idleMs: options.tcpIdleMs,
    });
    try {
      const udp = await listenUdp(options, { port: tcp.port, cookieRoot, counts: counts.udp });
      return { port: tcp.port, counts, close: () => closeAll(udp, tcp) };
    } catch (error) {
      await tcp.close();
      // A free TCP port may be taken on UDP; only where any port will do is another one tried.
      if (options.port !== 0 || tries === PORT_TRIES) throw error;
    }
  }
}

async function listenUdp(
  options: DnsServerOptions,
  { port, cookieRoot, counts }: { port: number; cookieRoot: Buffer; counts: ReplyCounts },
): Promise<Listening> {
  const { host, zone, source, clock, repliesPerSecond, addon, policy, feed, onCrash, decisions } = options;
  const seed = options.chance.bytes(4).readInt32BE();
  if (addon !== undefined) {
    const start = { zone, policy, cookieRoot, repliesPerSecond, seed, counts };
    return listenNative({ host, port, addon, start, feed, onCrash, decisions });
  }
  const responder = new Responder({
    transport: 'udp',
    zone,
    source,
    cookies: new Cookies(cookieRoot),
    limit: new RateLimit({ repliesPerSecond, seed }),
    counts,
  });
  return listenDgram({ host, port, responder, clock });
}

async function closeAll(...sides: Listening[]): Promise<void> {
  await Promise.all(sides.map((side) => side.close()));
}
