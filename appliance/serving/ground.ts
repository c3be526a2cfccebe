import type { ApplianceConfig } from '../config.ts';
import type { NativeAddon } from '../engine/native-addon.ts';
import { openSockets, type ListenSocket, type SocketMaker } from './listen-sockets.ts';

/** What the workers of a box serve on. */
export interface ServingGround {
  readonly maker: SocketMaker;
  /** One for each worker. */
  readonly sockets: readonly ListenSocket[];
  /** The memory in which they count together; undefined where each has its part of the limits. */
  readonly capsFd: number | undefined;
  /** Why it is, where it might have been there. */
  readonly capsFailure: unknown;
  /** What a worker that serves on a socket inherits. */
  fdsOf(socket: ListenSocket): number[];
}

/** Makes the sockets of a box's address, and the memory of its limits. Errors: ADDRESS_IN_USE, ADDRESS_UNAVAILABLE. */
export async function openGround(
  { host, port, workers }: Pick<ApplianceConfig, 'host' | 'port' | 'workers'>,
  addon: NativeAddon | undefined,
): Promise<ServingGround> {
  const { first, maker } = await openSockets({ host, port }, { shared: workers > 1 });
  const sockets = [first];
  try {
    while (sockets.length < workers) sockets.push(maker.make());
  } catch (error) {
    for (const socket of sockets) socket.close();
    throw error;
  }
  const { capsFd, capsFailure } = makeCaps(addon);
  return {
    ...{ maker, sockets, capsFd, capsFailure },
    fdsOf: ({ fd }) => [fd, ...(capsFd === undefined ? [] : [capsFd])],
  };
}

function makeCaps(addon: NativeAddon | undefined): Pick<ServingGround, 'capsFd' | 'capsFailure'> {
  try {
    return { capsFd: addon?.makeShared(), capsFailure: undefined };
  } catch (capsFailure) {
    return { capsFd: undefined, capsFailure };
  }
}
