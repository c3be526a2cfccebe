import type { EventData } from '../../../common/contract/event-log.ts';
import type { ExpectedSessions } from '../../core/session-book.ts';
import { popularityHalfLives, type HalfLives } from '../../core/popularity.ts';
import type { TicketedRow } from '../../core/ticketed-row.ts';
import type { KnownNode } from '../../../common/runtime/node-proofs.ts';

/** Who may say what was served: the enrolled nodes, by their keys. */
export interface ServedNodes {
  findNode(kid: string): Pick<KnownNode, 'nodeId' | 'publicKey' | 'revoked'> | undefined;
  /** The site of an appliance; undefined for an origin, which serves everybody's viewers. */
  siteOf(nodeId: string): string | undefined;
}

/** The event log as reports of nodes come into it. */
export interface ServedLog {
  /** Resolves when all parts are on the disk. Errors: those of the events port, UNAVAILABLE. */
  appendServed(timeMs: number, parts: readonly EventData<'served-report'>[]): Promise<void>;
}

/** Reads tickets, each in its place; undefined for one that was not written here, or too long ago. Errors: UNAVAILABLE. */
export type ReadTickets = (tickets: readonly string[]) => Promise<readonly (TicketedRow | undefined)[]>;

/** A file with its size. */
export interface SizedFile {
  readonly file: string;
  readonly sizeBytes: number;
}

/** A bundle as popularity sees it: its files with their sizes. */
export interface SizedBundle {
  readonly files: readonly SizedFile[];
}

/** What the viewers of a site want. */
export interface SitePopularity {
  /** How many times they are expected to play the whole of a file. */
  of(file: SizedFile): number;
  /** The same of a file that is looked at as a picture. */
  seen(file: SizedFile): number;
  /** The site's share of all viewers, 0 to 1. */
  readonly siteShare: number;
  /** How many sessions of a bundle are expected to begin there in a day; undefined as long as none of theirs is known. */
  readonly sessions: ExpectedSessions | undefined;
}

/** Bounds of the intake and of what is learned from it. */
export interface EventsOptions extends HalfLives {
  /** How many ids are remembered to know a repetition by; and how many rows beside them, of which places were shown or chosen. */
  readonly knownIdsMax: number;
  /** How many clients' caps are remembered, and how many addresses', the latest. */
  readonly clientsMax: number;
  /** How many events one client may send at once, and how many a second. */
  readonly clientEventsBurst: number;
  readonly clientEventsPerSecond: number;
  /** The same for all who share an address. */
  readonly networkEventsBurst: number;
  readonly networkEventsPerSecond: number;
  /** After a change of popularity, how long more of them are awaited before others hear of it. */
  readonly changeDelayMs: number;
  /** How many events stand in a Parquet file at most. */
  readonly eventsPerFile: number;
  /** How many weights are kept, one for each file at each site; what a box says of others is passed over. */
  readonly weightsMax: number;
}

/** Defaults of all of them. */
export const eventsDefaults = {
  knownIdsMax: 100_000,
  clientsMax: 100_000,
  // What waits in a player that was offline, and what one tells in its worst minute.
  clientEventsBurst: 1000,
  clientEventsPerSecond: 20,
  // Behind an address of a carrier are thousands, each of whom tells something every ten seconds.
  networkEventsBurst: 20_000,
  networkEventsPerSecond: 500,
  changeDelayMs: 5000,
  ...popularityHalfLives,
  eventsPerFile: 100_000,
  weightsMax: 2_000_000,
} as const satisfies EventsOptions;
