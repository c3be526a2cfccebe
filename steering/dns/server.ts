import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { Cookies } from './cookies.ts';
import { RateLimit } from './rate-limit.ts';
import { createReplyCounts, type ReplyCounts } from './reply-counts.ts';
import { Responder, type Transport } from './responder.ts';
import { listenTcp, type Listening } from './tcp.ts';
import { listenDgram } from './udp-dgram.ts';
import type { ZoneOptions, ZoneSource } from './zone.ts';

export interface DnsServerOptions {
  readonly host: string;
  /** 0 picks a free one, the same for UDP and TCP. */
  readonly port: number;
  readonly zone: ZoneOptions;
  readonly source: ZoneSource;
  /** UDP replies of one kind a second to one network. */
  readonly repliesPerSecond: number;
  readonly tcpConnectionsMax: number;
  readonly tcpIdleMs: number;
  readonly clock: Clock;
  readonly chance: Chance;
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
  const { host, zone, source, clock, chance } = options;
  const counts = { udp: createReplyCounts(), tcp: createReplyCounts() };
  const root = chance.bytes(SECRET_BYTES);
  const seed = chance.bytes(4).readInt32BE();
  const limits = { udp: new RateLimit({ repliesPerSecond: options.repliesPerSecond, seed }), tcp: undefined };
  const responderOf = (transport: Transport): Responder =>
    new Responder({
      transport,
      zone,
      source,
      cookies: new Cookies(root),
      limit: limits[transport],
      counts: counts[transport],
    });
  for (let tries = 1; ; tries++) {
    const tcp = await listenTcp({
      host,
      port: options.port,
      responder: responderOf('tcp'),
      clock,
      connectionsMax: options.tcpConnectionsMax,
      idleMs: options.tcpIdleMs,
    });
    try {
      const udp = await listenDgram({ host, port: tcp.port, responder: responderOf('udp'), clock });
      return { port: tcp.port, counts, close: () => closeAll(udp, tcp) };
    } catch (error) {
      await tcp.close();
      // A free TCP port may be taken on UDP; only where any port will do is another one tried.
      if (options.port !== 0 || tries === PORT_TRIES) throw error;
    }
  }
}

async function closeAll(...sides: Listening[]): Promise<void> {
  await Promise.all(sides.map((side) => side.close()));
}
