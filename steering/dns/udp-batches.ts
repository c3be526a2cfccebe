import type { BatchClock } from './batch-clock.ts';
import type { MutableAddress } from './ecs.ts';
import type { BatchMemory, NativeAddon } from '../native-addon.ts';
import type { Ask } from './asked.ts';
import { udpReplyBytesMax, type Responder } from './responder.ts';
import { uint32At } from './wire.ts';

/** Datagrams that one system call takes: the best of 8 to 32, beyond which only the delay grows. */
const BATCH = 16;
/** A query is far shorter; what is longer is cut off, and found malformed. */
const PACKET_BYTES_MAX = 1232;
const SENDER_BYTES = 20;

/** Opens a bound socket for batches; the function that is returned answers one, having waited for it. */
export function openBatches(
  addon: NativeAddon,
  fd: number,
  { responder, clock }: { responder: Responder; clock: BatchClock },
): () => void {
  const memory: BatchMemory = {
    packets: new Uint8Array(BATCH * PACKET_BYTES_MAX),
    replies: new Uint8Array(BATCH * udpReplyBytesMax),
    packetLengths: new Int32Array(BATCH),
    replyLengths: new Int32Array(BATCH),
    senders: new Uint8Array(BATCH * SENDER_BYTES),
  };
  const { packets, replies, packetLengths, replyLengths, senders } = memory;
  const exchange = addon.open(fd, memory);
  const resolvers = Array.from({ length: BATCH }, (): Record<number, MutableAddress> => ({
    4: { family: 4, words: [0] },
    6: { family: 6, words: [0, 0, 0, 0] },
  }));
  const asks = Array.from({ length: BATCH }, (_, slot): Ask => ({
    packet: packets,
    start: slot * PACKET_BYTES_MAX,
    end: 0,
    resolver: { family: 4, words: [0] },
    out: replies,
    outAt: slot * udpReplyBytesMax,
  }));
  return () => {
    const count = exchange();
    clock.read();
    if (count === 0) return;
    responder.begin({ nowMs: clock.nowMs(), monotonicMs: clock.monotonicMs() });
    for (let slot = 0; slot < count; slot++) {
      const ask = asks[slot];
      if (ask === undefined) continue;
      const resolver = resolvers[slot]?.[senders[slot * SENDER_BYTES] ?? 0];
      // Whoever cannot be answered has asked nothing.
      ask.end = ask.start + (resolver === undefined ? 0 : (packetLengths[slot] ?? 0));
      if (resolver === undefined) continue;
      for (let word = 0; word < resolver.words.length; word++)
        resolver.words[word] = uint32At(senders, slot * SENDER_BYTES + 4 + word * 4);
      ask.resolver = resolver;
    }
    responder.respondAll(asks, count, replyLengths);
  };
}
