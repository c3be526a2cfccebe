import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { systemCode } from '../common/runtime/errors.ts';
import type { Log } from '../common/runtime/log.ts';

/** Memory of a batch: of each array every packet, or request, has its own slot, one behind the other. */
export interface BatchMemory {
  readonly packets: Uint8Array<ArrayBuffer>;
  readonly replies: Uint8Array<ArrayBuffer>;
  /** How many bytes came; more than a slot holds were cut off. */
  readonly packetLengths: Int32Array<ArrayBuffer>;
  /** How many bytes are to be sent; 0: nothing, of a front: the connection is handed over. */
  readonly replyLengths: Int32Array<ArrayBuffer>;
  /** 20 bytes for each: the family (4, 6; 0: it cannot be answered), and from the fourth on the address. */
  readonly senders: Uint8Array<ArrayBuffer>;
}

/** What a front is made of. */
export interface FrontOptions extends BatchMemory {
  readonly connectionsMax: number;
  /** Who is silent for so long is cut. */
  readonly idleMs: number;
  /** Bytes of so many connections have come into the first slots: their replies are to be written. */
  answer(count: number): void;
  /** The connection whose bytes are in the slot is the caller's from now on. */
  handOver(fd: number, slot: number): void;
}

/** TCP connections in batches, in this thread's event loop. */
export interface NativeFront {
  /** Accepts on a bound socket, which it duplicates; returns the port. Throws with the system's code. */
  listen(fd: number): number;
  /** To be called about once a second. */
  tick(): void;
  /** Accepts no more, and closes connections once they have been sent what is theirs. */
  drain(): void;
  /** Cuts what is left. */
  destroy(): void;
}

/** The parts of steering that are native. UDP in batches: one system call receives many datagrams, another one sends their replies. */
export interface NativeAddon {
  /**
   * Binds a socket; a packet that came to one of several addresses is answered from it. Its reads wait for `waitMs` at most.
   * Throws with the system's code.
   */
  bind(host: string, port: number, waitMs: number): number;
  portOf(fd: number): number;
  close(fd: number): void;
  /**
   * Opens a bound socket for batches, in this thread. The function that is returned sends the replies of the last batch, then
   * blocks until a packet comes or the wait is over, and returns how many there are.
   */
  open(fd: number, memory: BatchMemory): () => number;
  createFront(options: FrontOptions): NativeFront;
  /** Asks for pages of 2 MiB for memory that is read in no order; returns whether the system gives them. */
  preferLargePages(memory: Uint8Array): boolean;
}

const builtAt = fileURLToPath(new URL('./native/build/steering.node', import.meta.url));

/** Loads the addon; undefined, with one line in the log that says why, where it is not built or cannot be loaded here. */
export function loadNativeAddon(log: Log, path = builtAt): NativeAddon | undefined {
  try {
    return requireAddon(path);
  } catch (error) {
    const why =
      systemCode(error) === 'MODULE_NOT_FOUND'
        ? 'it is not built'
        : error instanceof Error
          ? error.message
          : String(error);
    log.warn(
      { why },
      'steering without its native addon: slower, the same answers; on a wildcard address the system chooses the sender of DNS',
    );
    return undefined;
  }
}

/** The addon where it is built, in a thread of a process that has said so of it. */
export function findAddon(): NativeAddon | undefined {
  try {
    return requireAddon();
  } catch {
    return undefined;
  }
}

/** Loads the addon in another thread of a process that has loaded it. */
export function requireAddon(path = builtAt): NativeAddon {
  return createRequire(import.meta.url)(path) as NativeAddon;
}
