import { Socket } from 'node:net';
import { formatAddress } from '../../common/core/ip-address.ts';
import { headBytesMax, readLeanRequest } from '../../common/core/lean-request.ts';
import type { ListeningFront } from '../../common/runtime/fronted-server.ts';
import type { LeanFrontOptions } from '../../common/runtime/lean-front.ts';
import { LeanReplies } from '../../common/runtime/lean-replies.ts';
import type { BatchMemory, NativeAddon } from '../native-addon.ts';

/** Connections of which a turn takes what has come. */
const BATCH = 16;
const REPLY_BYTES_MAX = 8 * 1024;
const SENDER_BYTES = 20;
const CONNECTIONS_MAX = 50_000;
const TICK_MS = 1000;

/**
 * Reads connections in batches by the native addon, which accepts, receives and sends; what is asked is read and answered here, as
 * `LeanFront` does. A request costs two system calls and none of the objects of Node's streams. Above `connectionsMax` (more than
 * a batch) the one that has been silent for the longest makes room for who comes.
 */
export function createNativeFront(
  addon: NativeAddon,
  options: LeanFrontOptions,
  connectionsMax = CONNECTIONS_MAX,
): ListeningFront {
  const { answer, clock, handOver, keepAliveMs } = options;
  // Longer by one than any request that is read, so that one which was cut off is seen to be.
  const requestBytes = headBytesMax + 1;
  const requests = Buffer.alloc(BATCH * requestBytes);
  const replies = Buffer.alloc(BATCH * REPLY_BYTES_MAX);
  const memory: BatchMemory = {
    packets: requests,
    replies,
    packetLengths: new Int32Array(BATCH),
    replyLengths: new Int32Array(BATCH),
    senders: new Uint8Array(BATCH * SENDER_BYTES),
  };
  const { packetLengths, replyLengths, senders } = memory;
  const rendered = new LeanReplies(clock, keepAliveMs);
  const bytesIn = (slot: number): Buffer =>
    requests.subarray(slot * requestBytes, slot * requestBytes + (packetLengths[slot] ?? 0));
  /** Writes the reply to what is in a slot; returns its size, 0 where it is not for us. */
  const reply = (slot: number): number => {
    const request = readLeanRequest(bytesIn(slot));
    const remoteAddress = addressAt(senders, slot * SENDER_BYTES);
    const answered =
      request && answer({ url: request.url, headers: request.headers, socket: { remoteAddress } });
    if (answered === undefined) return 0;
    const { text, encoding } = rendered.render(answered);
    if (encoding === 'utf8' && Buffer.byteLength(text) > REPLY_BYTES_MAX) return 0;
    return text.length > REPLY_BYTES_MAX ? 0 : replies.write(text, slot * REPLY_BYTES_MAX, encoding);
  };
  const front = addon.createFront({
    ...memory,
    connectionsMax,
    idleMs: keepAliveMs,
    answer: (count) => {
      for (let slot = 0; slot < count; slot++) replyLengths[slot] = reply(slot);
    },
    handOver: (fd, slot) => {
      // The slot is used again.
      const bytes = Buffer.from(bytesIn(slot));
      const socket = new Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
      handOver(socket);
      socket.emit('data', bytes);
    },
  });
  const timer = setInterval(() => front.tick(), TICK_MS).unref();
  return {
    listen: (fd) => front.listen(fd),
    close: () => front.drain(),
    destroy: () => {
      clearInterval(timer);
      front.destroy();
    },
  };
}

/** The address of a sender, in the text that a socket has for it; undefined where there is none. */
function addressAt(senders: Uint8Array, at: number): string | undefined {
  const family = senders[at];
  const from = at + 4;
  if (family === 4) return `${senders[from]}.${senders[from + 1]}.${senders[from + 2]}.${senders[from + 3]}`;
  if (family !== 6) return undefined;
  const view = new DataView(senders.buffer, senders.byteOffset + from, 16);
  return formatAddress({ family: 6, words: [0, 4, 8, 12].map((word) => view.getUint32(word)) });
}
