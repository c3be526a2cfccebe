import type { FileScope } from '../../common/core/tokens/delivery-token.ts';

/**
 * The addon's face: what `native/addon.cc` exports, and what it calls back. Everything is called on the loop's thread.
 * Times are milliseconds, `expiresAtS` and `nowS` are Unix seconds, files are named by 64 hex digits.
 */
export interface NativeAddon {
  createServer(options: NativeOptions & NativeCallbacks): NativeServer;
  /** Takes what is durable of a file out of the page cache (POSIX_FADV_DONTNEED). It does not wait for the disk. */
  dropCached(fd: number): void;
  /** Memory that processes share: a descriptor, to be inherited and closed. */
  makeShared(): number;
  /** So many bytes of that memory here, zeroed at first and begun on a page, for as long as the buffer lives. */
  mapShared(what: { fd: number; bytes: number }): Buffer;
}

/** What connections are counted in: 16 KiB numbers of 32 bits for addresses, and a line of their own for all. */
export const connectionCountBytes = 4 * (16_384 + 16);

/** In the order in which the addon tells bytes (`Scope` in native/records.h). */
export const servedScopes = ['play', 'fill', 'picture'] as const satisfies readonly FileScope[];

export interface NativeOptions {
  /** `connectionCountBytes` for each worker of the box, shared by all of them. */
  readonly connectionCounts: Buffer;
  /** Which part of it is this one's. */
  readonly worker: number;
  readonly connectionsMax: number;
  readonly connectionsPerAddressMax: number;
  readonly requestsMax: number;
  readonly headersTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  /** A transfer on which nothing moves for so long is cut. */
  readonly idleTimeoutMs: number;
  /** A transfer slower than this, judged over `idleTimeoutMs`, is cut; 0 for any. */
  readonly minBytesPerSecond: number;
  /** Paces each connection (SO_MAX_PACING_RATE); 0 for none. */
  readonly paceBytesPerSecond: number;
  readonly turnBytes: number;
  readonly filesMax: number;
  readonly grantsMax: number;
  readonly recordsMax: number;
  readonly readThreadsPerDisk: number;
  readonly readMemoryBytes: number;
  /** Answers made by the TypeScript server's rules, for what must cost nothing: each ends its connection. */
  readonly refusals: readonly [timeout: Buffer, overloaded: Buffer, draining: Buffer];
  /** The last header lines of an answer with a body, around its delay in milliseconds, which stands in them twice. */
  readonly timing: readonly [string, string, string];
  /** Counters, written in place; `native-counters.ts` names the slots. */
  readonly counters: Float64Array;
}

export interface NativeCallbacks {
  /** A connection is parked until `decide(id, …)`: its token is unknown or its file is not open. */
  readonly park: (parked: Parked) => void;
  /** A plain connection leaves the addon: its socket, and what was read of it. It counts until `handedClosed(id)`. */
  readonly handOver: (fd: number, id: number, bytes: Buffer) => void;
  /** A TLS connection becomes a stream: `bytes` is plaintext read already. */
  readonly handOverStream: (peer: StreamPeer, bytes: Buffer) => void;
  /** Plaintext of a stream; empty at its end. */
  readonly streamData: (id: number, bytes: Buffer) => void;
  /** What was written last went to the kernel, or the stream broke. */
  readonly streamDrained: (id: number, isBroken: boolean) => void;
  readonly streamClosed: (id: number) => void;
  /** A read of an open file failed, or ended early (errno 0): it must not be served further. */
  readonly fileFailed: (file: string, ext: string, errno: number) => void;
  /** At least half of the record ring is full. */
  readonly recordsWaiting: () => void;
}

/** What a request that is parked asks for, and the client's address. */
export type Parked = readonly [id: number, token: string, file: string, ext: string, client: string];

export type StreamPeer = readonly [id: number, client: string, port: number, tls: string, isH2: boolean];

/** What a file answers with; the texts come from `planResponse`, so that both engines say the same. */
export interface NativeFile {
  readonly file: string;
  readonly ext: string;
  /** Duplicated by the addon; the caller keeps its own. */
  readonly fd: number;
  readonly sizeBytes: number;
  readonly etag: string;
  /** Status and header lines, each with its CRLF, that stand before content-range and content-length in a 206 or 200. */
  readonly whole: Buffer;
  readonly part: Buffer;
  readonly notModified: Buffer;
  /** Files of one disk share its reading threads. */
  readonly disk: number;
}

export interface NativeGrant {
  readonly token: string;
  readonly scope: FileScope;
  readonly expiresAtS: number;
  /** When JavaScript wants to verify it again. */
  readonly verifyAgainInMs: number;
  /** The bundle whose files it covers; absent for every file. */
  readonly bundle?: string;
  /**
   * Prefixes that may use it, each 16 bytes of address (IPv4 as ::ffff:0:0/96) and one of length in bits; absent for any
   * client.
   */
  readonly clients?: readonly Buffer[];
}

export interface NativeServer {
  /**
   * Accepts on a bound socket, which it duplicates; returns where that is.
   *
   * @throws Error with `code` EADDRINUSE and the like.
   */
  listen(fd: number): readonly [host: string, port: number];
  /** Ends what has taken too long, and counts what is there; to be called a few times a second. */
  tick(): void;
  stopListening(): void;
  /** Answers what is in flight and closes; connections without a request are closed at once. */
  closeIdle(): void;
  /** Cuts everything and frees it. Nothing is called back afterwards. */
  destroy(): void;
  /** 0 all, 1 known grants only, 2 nobody; `shedFill` refuses fill grants first. */
  admit(level: 0 | 1 | 2, why: 'overloaded' | 'draining', shedFill: boolean): void;
  handedClosed(id: number): void;
  decide(id: number, decision: 'again' | 'handOver'): void;
  grant(grant: NativeGrant): void;
  /** The files that a bundle covers, each as `<file>.<ext>`. */
  bundle(bundle: string, files: readonly string[]): void;
  forgetBundle(bundle: string): void;
  /** Every grant is asked for again when its token next comes. */
  forgetGrants(): void;
  /** Whether a bundle is known, or a file open, by `<file>.<ext>`. */
  has(what: 'bundle' | 'file', name: string): boolean;
  open(file: NativeFile): void;
  /** Every form of the file; its descriptors are closed when the last transfer is done. */
  forgetFile(file: string): void;
  /** Without a certificate none is served. */
  setTls(tls: NativeTls): void;
  setTicketKeys(keys: readonly Buffer[]): void;
  /** 32 random bytes of the day, for the pseudonyms of addresses. */
  setAddressKey(key: Buffer): void;
  /** Formatted records into `out`; returns how many bytes, and those with CMCD apart: [bytes, line, cmcd, …]. */
  drainRecords(out: Buffer): readonly [bytes: number, ...withCmcd: string[]];
  /** Bytes of files since the last call: [file, bytes of each of `servedScopes`, …]. */
  drainServed(): readonly (string | number)[];
  streamWrite(id: number, bytes: Buffer): void;
  streamRead(id: number, flowing: boolean): void;
  streamEnd(id: number): void;
  streamDestroy(id: number): void;
}

export interface NativeTls {
  readonly certificates: readonly {
    readonly names: readonly string[];
    readonly chainPem: string;
    readonly keyPem: string;
  }[];
  readonly ticketKeys: readonly Buffer[];
  readonly h2: boolean;
}
