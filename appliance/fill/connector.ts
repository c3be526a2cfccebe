import type { Socket } from 'node:net';
import type { buildConnector } from 'undici';

/** One read takes at most so much. */
const readBytesMax = 64 * 1024;
/**
 * What of a connection may be unread at a time: what its receiver holds back and what its socket does, each a read above
 * their marks of 64 KiB, the read under way, and what is left over at the ring's end.
 */
const ringBytes = 512 * 1024;

/**
 * Connects as undici does, but for where reads go: each connection has its own ring of memory and reads into it, round and
 * round. By itself Node makes a buffer for every 64 KiB that comes, and V8 then collects its whole heap for each 64 MiB of them: a
 * third of what a fill costs. So what comes must be used or copied before the handler returns, or be held back by pausing.
 */
export function ringConnector(
  build: typeof buildConnector,
  options: { timeoutMs: number },
): buildConnector.connector {
  return (target, done) => {
    const ring = Buffer.allocUnsafeSlow(ringBytes);
    let socket: Socket | undefined;
    let at = 0;
    const onread = {
      buffer: (): Buffer => {
        if (at + readBytesMax > ringBytes) at = 0;
        return ring.subarray(at, at + readBytesMax);
      },
      callback: (bytes: number, buffer: Uint8Array): boolean => {
        at += bytes;
        return socket?.push(buffer.subarray(0, bytes)) ?? false;
      },
    };
    const connect = build({ timeout: options.timeoutMs, allowH2: false, onread });
    connect(target, (...result) => {
      socket = result[1] ?? undefined;
      done(...result);
    });
  };
}
