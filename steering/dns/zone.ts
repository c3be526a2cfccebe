import type { NodeChallenge } from '../../common/contract/certificates.ts';
import type { Address } from '../../common/core/ip-address.ts';

/** A node with a name of its own under the zone. */
export interface ZoneNode {
  readonly id: string;
  /** In text, by family. */
  readonly addresses: Readonly<Record<4 | 6, readonly string[]>>;
  /** Where it speaks HTTPS; undefined where its URL is not https. */
  readonly httpsPort: number | undefined;
}

/** What a map brings to the zone. */
export interface ZoneContent {
  /** Grows with every map. */
  readonly serial: number;
  readonly nodes: readonly ZoneNode[];
  /** What stands in the TXT records of `_acme-challenge.<node>`. */
  readonly challenges: readonly NodeChallenge[];
}

/** Who serves a client; read before the next question is asked of its source, which may use it again. */
export interface Steered {
  /** Indexes into the content's nodes, best first; few. Empty where the boxes that are well have no such address. */
  readonly nodes: readonly number[];
  /** Bits of the block of client addresses for which this is the answer. */
  readonly scopeLength: number;
  readonly ttlS: number;
}

/** What DNS asks the rest of steering. Asked for every query: it answers from memory, and makes little garbage. */
export interface ZoneSource {
  /** The same object until another map is in force. */
  content(): ZoneContent;
  /** Told of the first of these clients before it is asked for each: what is known of their addresses is looked up for all at once. */
  expect(clients: readonly Address[], count: number): void;
  /**
   * The best nodes for a client in one family of addresses; undefined where nobody can be named. The address is used again
   * for the next client; undefined: not tailored. `shard` is that of the name, see bundle-shard.ts.
   */
  steer(client: Address | undefined, family: 4 | 6, shard: number | undefined): Steered | undefined;
}

export interface ZoneOptions {
  /** `steer.nearcast.test`. */
  readonly zone: string;
  /** Names under the zone that are steered: `play`. */
  readonly steeredNames: readonly string[];
  /** Names of the zone's servers; those under the zone answer with `serverAddresses`. */
  readonly servers: readonly string[];
  readonly serverAddresses: readonly string[];
  /** Who may issue certificates for names of the zone (RFC 8659); anybody where there is none. */
  readonly issuers: readonly string[];
  readonly nodeTtlS: number;
  readonly negativeTtlS: number;
}
