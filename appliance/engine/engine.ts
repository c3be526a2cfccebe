import type { ProblemCode } from '../../common/contract/problem.ts';
import type { FileScope } from '../../common/core/tokens/delivery-token.ts';
import type { Admission, LoadJudgement, LoadLevel } from '../core/judge-load.ts';
import type { AccessRecord } from '../records/access-record.ts';

export type { Admission };

/** Where an engine listens. */
export interface EngineAddress {
  readonly host: string;
  readonly port: number;
}

/** A bound socket that this process was given; another process may hold it too, so that its queue outlives this one. */
export interface InheritedSocket {
  readonly fd: number;
}

/** How an engine does, for heartbeats, metrics and whoever sums it over workers. */
export interface EngineLoad {
  /** Requests that are being answered now. */
  readonly liveRequests: number;
  readonly connections: number;
  /** Requests that failed by the box's own fault: answered with 500 or more, or cut for what its storage gave. Cumulative. */
  readonly failures: number;
  /** Share of the serving capacity that is free, 0 to 1. */
  readonly headroom: number;
  /** What it refuses, and why. */
  readonly level: LoadLevel;
  readonly reasons: readonly string[];
}

/** What load is judged by. Reading it changes nothing. */
export interface LoadReading {
  readonly connections: number;
  readonly liveRequests: number;
  /** The longest that a viewer's read waited for its disk lately, or waits still. */
  readonly diskDelayMs: number;
  /** Answers by their time to first byte: buckets as `latencyBoundsUs`, and the rest. Cumulative. */
  readonly ttfbCounts: readonly number[];
  /** Bytes of files sent. Cumulative. */
  readonly sentBytes: number;
}

/**
 * What serves files over HTTP. Everything around it (tokens, store, drain, heartbeats) sees only this, so that another
 * engine with the same semantics can stand in its place.
 */
export interface Engine {
  /** Begins to listen; port 0 picks a free one. Errors: ADDRESS_IN_USE, ADDRESS_UNAVAILABLE. */
  listen(at: EngineAddress | InheritedSocket): Promise<EngineAddress>;
  /** What a drain allows; load is shed besides it (`admitUnder` brings the two together). */
  admit(admission: Admission): void;
  /** What the load is judged to be, four times a second. */
  shed(judgement: LoadJudgement): void;
  readLoad(): LoadReading;
  /** Keys or revocations have changed: what was decided about a token before is asked again. */
  tokensChanged(): void;
  /** The file is no longer held: nobody gets it any more, those who read it finish. */
  forget(file: string): void;
  /** Certificates in force from now on, for new connections; undefined for none. */
  setTls(tls: EngineTls | undefined): void;
  /** Keys of TLS session tickets, each 80 bytes: the first makes new ones, all are accepted. The same in every worker. */
  setTicketKeys(keys: readonly Buffer[]): void;
  /** The day's key for the pseudonyms of addresses, 32 bytes (ADR 6). */
  setAddressKey(key: Buffer): void;
  load(): EngineLoad;
  /** Accepts no more, waits for what is in flight, then cuts what is left at the deadline. */
  close(deadlineMs: number): Promise<void>;
}

/** What TLS is served with. */
export interface EngineTls {
  readonly certificates: readonly {
    /** Names that it is for; the first certificate is also for every other name. */
    readonly names: readonly string[];
    readonly chainPem: string;
    readonly keyPem: string;
  }[];
  readonly h2: boolean;
}

/** This process's part where several serve one box. */
export interface EngineShare {
  /** From 0 to `workers` - 1. */
  readonly worker: number;
  readonly workers: number;
  /** Shared memory in which the workers count together; without it each has its part of every limit. */
  readonly capsFd: number | undefined;
}

/** What the engine tells as it serves; nothing that it writes of it can tell a viewer or a token. */
export interface ServingRecords {
  /** Bytes of a file's content that have left, and on what kind of token. */
  sent(file: string, scope: FileScope, bytes: number): void;
  /** The TypeScript engine is done with a request, whatever became of it. */
  request(record: AccessRecord): void;
  /** The TypeScript engine is done with a TLS handshake; who just leaves in the middle of one has not failed. */
  handshake(outcome: HandshakeOutcome): void;
  /** Refused, shed or failed: the problem's code. */
  refused(code: ProblemCode): void;
  /** The client went away in mid-body or was too slow, or the body could not be finished. */
  cut(reason: 'client' | 'slow' | ProblemCode): void;
}

export type HandshakeOutcome = 'full' | 'resumed' | 'failed';

/** Limits of one engine. */
export interface EngineLimits {
  /** Connections above this are answered 429, and dropped a little above it. */
  readonly connectionsMax: number;
  /** Requests answered at a time; above it 429. */
  readonly requestsMax: number;
  readonly headersTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  /** Connections of one address, or of one /64 of IPv6; above it 429. */
  readonly connectionsPerAddressMax: number;
  /** A connection on which nothing moves for so long is cut. */
  readonly idleTimeoutMs: number;
  /** A transfer slower than this, judged over `idleTimeoutMs`, is cut; 0 for any. */
  readonly minBytesPerSecond: number;
  /** Most that one connection is sent, by the kernel's pacing; 0 for no such limit. The node engine cannot. */
  readonly paceBytesPerSecond: number;
}
