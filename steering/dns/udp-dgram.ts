import { createSocket, type RemoteInfo } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { parseAddress } from '../../common/core/ip-address.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { udpReplyBytesMax, type Responder } from './responder.ts';
import type { Listening } from './tcp.ts';

/** Answers over UDP by node:dgram. Rejects with the system's error where the address cannot be bound. */
export function listenDgram(options: {
  host: string;
  port: number;
  responder: Responder;
  clock: Clock;
}): Promise<Listening> {
  const { host, port, responder, clock } = options;
  const socket = createSocket({ type: isIPv6(host) ? 'udp6' : 'udp4' });
  const out = new Uint8Array(udpReplyBytesMax);
  socket.on('message', (packet: Buffer, remote: RemoteInfo) => {
    // RFC 768: source port 0 asks for no reply, and a send to it throws.
    const resolver = remote.port === 0 ? undefined : parseAddress(remote.address.replace(/%.*$/, ''));
    if (resolver === undefined) return;
    responder.begin({ nowMs: clock.nowMs(), monotonicMs: clock.monotonicMs() });
    const bytes = responder.respond({ packet, start: 0, end: packet.length, resolver, out, outAt: 0 });
    // A reply that cannot be sent is lost, as any datagram may be: the asker asks again.
    if (bytes > 0)
      socket.send(Buffer.from(out.subarray(0, bytes)), remote.port, remote.address, () => undefined);
  });
  return new Promise((resolve, reject) => {
    socket.once('error', (error) => {
      socket.close();
      reject(error);
    });
    socket.bind(port, host, () => {
      socket.removeAllListeners('error').on('error', () => undefined);
      resolve({
        port: socket.address().port,
        close: () =>
          new Promise(
            (done) =>
              void socket.close(() => {
                done();
              }),
          ),
      });
    });
  });
}
