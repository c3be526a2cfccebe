import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';

/** A way to a TCP port that can be cut. */
export interface CuttableWay {
  readonly port: number;
  /** Nothing passes any more and nobody is told: what is sent is swallowed, who comes is let in and hears nothing. */
  silence(): void;
  /** Everything passes again, for those who come from now on; who was there is cut. */
  mend(): void;
  /** Refuses, and cuts who was there. */
  close(): Promise<void>;
}

/** Opens a way from an address of this machine, on a port of its own unless one is given, to a port of 127.0.0.1 or another host. */
export async function openWay(
  t: { teardown(done: () => Promise<unknown>): void },
  to: { host?: string; port: number },
  from: { host?: string; port?: number } = {},
): Promise<CuttableWay> {
  const sockets = new Set<Socket>();
  let isSilent = false;
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    const far = connect({ host: to.host ?? '127.0.0.1', port: to.port });
    sockets.add(far);
    for (const [here, there] of [
      [socket, far],
      [far, socket],
    ] as const) {
      here.on('data', (bytes) => {
        if (!isSilent) there.write(bytes);
      });
      here.on('end', () => {
        if (!isSilent) there.end();
      });
      here.on('error', () => undefined);
      here.on('close', () => {
        sockets.delete(here);
        if (!isSilent) there.destroy();
      });
    }
  }).listen({ host: from.host ?? '127.0.0.1', port: from.port ?? 0 });
  await once(server, 'listening');
  const close = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    cut();
    await closed;
  };
  t.teardown(close);
  return {
    port: (server.address() as AddressInfo).port,
    silence() {
      isSilent = true;
    },
    mend() {
      isSilent = false;
      cut();
    },
    close,
  };
}
