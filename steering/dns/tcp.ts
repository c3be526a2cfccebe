import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { parseAddress } from '../../common/core/ip-address.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Ask } from './asked.ts';
import type { Responder } from './responder.ts';
import { putUint16, uint16At } from './wire.ts';

export interface TcpOptions {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly responder: Responder;
  readonly clock: Clock;
  /** When one more comes, the one that has asked nothing for the longest goes. */
  readonly connectionsMax: number;
  readonly idleMs: number;
}

/** One side of the server: its port, and its end. */
export interface Listening {
  readonly port: number;
  close(): Promise<void>;
}

const LENGTH_BYTES = 2;
/** No query is longer: whoever announces more would only have us keep it. */
const QUERY_BYTES_MAX = 4096;
const REPLY_BYTES_MAX = 0xffff;

/** Answers over TCP. Rejects with the system's error where the address cannot be listened on. */
export async function listenTcp(options: TcpOptions): Promise<Listening> {
  const { host, connectionsMax } = options;
  // In the order of their last query: a set keeps that of insertion.
  const sockets = new Set<Socket>();
  const reply = createReplier(options);
  const server = createServer((socket) => {
    const [idlest] = sockets;
    if (sockets.size >= connectionsMax) idlest?.destroy();
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    serve(socket, { ...options, reply, touch: () => sockets.delete(socket) && sockets.add(socket) });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port: options.port }, () => {
      server.removeListener('error', reject).on('error', () => undefined);
      resolve();
    });
  });
  return { port: (server.address() as AddressInfo).port, close: () => close(server, sockets) };
}

function close(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => {
      resolve();
    });
    for (const socket of sockets) socket.destroy();
  });
}

/** Answers a query behind its length; undefined where nothing is to be sent. */
type Replier = (query: Uint8Array, host: string) => Buffer | undefined;

function createReplier({ responder, clock }: TcpOptions): Replier {
  const out = Buffer.alloc(LENGTH_BYTES + REPLY_BYTES_MAX);
  return (packet, host) => {
    // A link-local resolver has a zone in its address, which says nothing here.
    const resolver = parseAddress(host.replace(/%.*$/, ''));
    if (resolver === undefined) return undefined;
    const ask: Ask = { packet, start: 0, end: packet.length, resolver, out, outAt: LENGTH_BYTES };
    responder.begin({ nowMs: clock.nowMs(), monotonicMs: clock.monotonicMs() });
    const bytes = responder.respond(ask);
    if (bytes === 0) return undefined;
    putUint16(out, 0, bytes);
    return Buffer.from(out.subarray(0, LENGTH_BYTES + bytes));
  };
}

interface Serving extends TcpOptions {
  readonly reply: Replier;
  readonly touch: () => void;
}

/** RFC 7766: any number of queries on a connection, each behind its length; answered in the order in which they came. */
function serve(socket: Socket, { reply, touch, idleMs }: Serving): void {
  const host = socket.remoteAddress ?? '';
  let pending: Buffer = Buffer.alloc(0);
  socket.setTimeout(idleMs, () => socket.destroy());
  socket.on('error', () => socket.destroy());
  socket.on('drain', () => socket.resume());
  socket.on('data', (bytes: Buffer) => {
    pending = pending.length === 0 ? bytes : Buffer.concat([pending, bytes]);
    const replies: Buffer[] = [];
    let at = 0;
    while (pending.length - at >= LENGTH_BYTES) {
      const end = at + LENGTH_BYTES + uint16At(pending, at);
      if (end - at > LENGTH_BYTES + QUERY_BYTES_MAX) {
        socket.destroy();
        return;
      }
      if (pending.length < end) break;
      const sent = reply(pending.subarray(at + LENGTH_BYTES, end), host);
      if (sent !== undefined) replies.push(sent);
      at = end;
    }
    // What stays is copied: the whole chunk would else be kept for its last bytes.
    pending = Buffer.from(pending.subarray(at));
    if (at > 0) touch();
    // One who asks and does not read is not read from either.
    if (replies.length > 0 && !socket.write(Buffer.concat(replies))) socket.pause();
  });
}
