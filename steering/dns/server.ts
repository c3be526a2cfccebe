import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { createServer, isIPv6, type AddressInfo, type Server, type Socket } from 'node:net';
import { parseAddress } from '../../common/core/ip-address.ts';
import { respond, type Transport } from './respond.ts';
import type { Zone } from './zone.ts';

export interface DnsServerOptions {
  readonly host: string;
  /** 0 picks a free one, the same for UDP and TCP. */
  readonly port: number;
  readonly zone: Zone;
  readonly tcpConnectionsMax: number;
  readonly tcpIdleMs: number;
  /** Told of each packet: the reply's code, or undefined where none was sent. */
  readonly onReply?: (transport: Transport, rcode: number | undefined) => void;
}

export interface DnsServer {
  readonly port: number;
  close(): Promise<void>;
}

const PORT_TRIES = 8;

/** Starts the DNS server on UDP and TCP. Rejects with the system's error where the address cannot be listened on. */
export async function startDnsServer(options: DnsServerOptions): Promise<DnsServer> {
  for (let tries = 1; ; tries++) {
    const tcp = createTcp(options);
    const port = await listenTcp(tcp, options);
    try {
      const udp = await bindUdp({ ...options, port });
      return { port, close: () => closeAll(udp, tcp) };
    } catch (error) {
      await closeServer(tcp);
      // A free TCP port may be taken on UDP; only where any port will do is another one tried.
      if (options.port !== 0 || tries === PORT_TRIES) throw error;
    }
  }
}

function answer(options: DnsServerOptions, packet: Buffer, from: { host: string; transport: Transport }) {
  // A link-local resolver has a zone in its address, which says nothing here.
  const resolver = parseAddress(from.host.replace(/%.*$/, ''));
  if (resolver === undefined) return undefined;
  const reply = respond(options.zone, packet, { resolver, transport: from.transport });
  options.onReply?.(from.transport, reply.rcode);
  return reply.packet;
}

function bindUdp(options: DnsServerOptions): Promise<UdpSocket> {
  const socket = createSocket({ type: isIPv6(options.host) ? 'udp6' : 'udp4' });
  socket.on('message', (packet: Buffer, remote: RemoteInfo) => {
    // RFC 768: source port 0 asks for no reply, and a send to it throws.
    if (remote.port === 0) return;
    const reply = answer(options, packet, { host: remote.address, transport: 'udp' });
    // A reply that cannot be sent is lost, as any datagram may be: the asker asks again.
    if (reply !== undefined) socket.send(reply, remote.port, remote.address, () => undefined);
  });
  return new Promise((resolve, reject) => {
    socket.once('error', (error) => {
      socket.close();
      reject(error);
    });
    socket.bind(options.port, options.host, () => {
      socket.removeAllListeners('error').on('error', () => undefined);
      resolve(socket);
    });
  });
}

const open = new WeakMap<Server, Set<Socket>>();

function createTcp(options: DnsServerOptions): Server {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    serveTcp(socket, options);
  });
  server.maxConnections = options.tcpConnectionsMax;
  open.set(server, sockets);
  return server;
}

const LENGTH_BYTES = 2;
/** No query is longer: whoever announces more would only have us keep it. */
const TCP_QUERY_BYTES_MAX = 4096;

/** RFC 7766: any number of queries on a connection, each behind its length; answered in the order in which they came. */
function serveTcp(socket: Socket, options: DnsServerOptions): void {
  const host = socket.remoteAddress ?? '';
  let pending: Buffer = Buffer.alloc(0);
  socket.setTimeout(options.tcpIdleMs, () => socket.destroy());
  socket.on('error', () => socket.destroy());
  socket.on('drain', () => socket.resume());
  socket.on('data', (bytes: Buffer) => {
    pending = pending.length === 0 ? bytes : Buffer.concat([pending, bytes]);
    const replies: Buffer[] = [];
    while (pending.length >= LENGTH_BYTES) {
      const end = LENGTH_BYTES + pending.readUInt16BE(0);
      if (end > LENGTH_BYTES + TCP_QUERY_BYTES_MAX) {
        socket.destroy();
        return;
      }
      if (pending.length < end) break;
      const reply = answer(options, pending.subarray(LENGTH_BYTES, end), { host, transport: 'tcp' });
      pending = pending.subarray(end);
      if (reply !== undefined) replies.push(lengthOf(reply), reply);
    }
    // One who asks and does not read is not read from either.
    if (replies.length > 0 && !socket.write(Buffer.concat(replies))) socket.pause();
  });
}

function lengthOf(reply: Buffer): Buffer {
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt16BE(reply.length);
  return length;
}

function listenTcp(server: Server, { host, port }: DnsServerOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.removeListener('error', reject).on('error', () => undefined);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => {
      resolve();
    });
    for (const socket of open.get(server) ?? []) socket.destroy();
  });
}

async function closeAll(udp: UdpSocket, tcp: Server): Promise<void> {
  await Promise.all([
    new Promise<void>((resolve) => {
      udp.close(() => {
        resolve();
      });
    }),
    closeServer(tcp),
  ]);
}
