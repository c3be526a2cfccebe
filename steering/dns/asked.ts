import type { Address } from '../../common/core/ip-address.ts';
import { readSubnet, sourceLengthOf, subnetFamilyOf, type MutableAddress } from './ecs.ts';
import { readOddQuery } from './odd-query.ts';
import { Query, readQuery } from './query.ts';
import { rcodes, rrTypes } from './wire.ts';

/** A packet to be answered, from `start` to `end`, and where its reply goes; used again for the next one. */
export interface Ask {
  packet: Uint8Array;
  start: number;
  end: number;
  resolver: Address;
  /** Has room for the largest reply of the transport from `outAt` on. */
  out: Uint8Array;
  outAt: number;
}

/** What a packet asks, and for whom. One object is used for packet after packet, so that they leave no garbage. */
export class Asked {
  readonly query = new Query();
  /** There is nothing to answer. */
  isIgnored = false;
  /** The client subnet's network, else the resolver; undefined where the client asked not to be tailored to. */
  client: Address | undefined;
  readonly #subnets: Readonly<Record<4 | 6, MutableAddress>> = {
    4: { family: 4, words: [0] },
    6: { family: 6, words: [0, 0, 0, 0] },
  };

  /** Reads a packet of whatever content. */
  read({ packet, start, end, resolver }: Ask): void {
    const { query } = this;
    query.take(packet, start, end);
    const reading = readQuery(query);
    this.isIgnored = reading === 'ignore';
    if (reading === 'odd') readOddQuery(query);
    this.client = this.#clientOf(resolver);
  }

  /** Whether it may be for a name that has other records for another client. */
  get isForClient(): boolean {
    const { type, rcode } = this.query;
    return rcode === rcodes.ok && !this.isIgnored && isSteered(type);
  }

  #clientOf(resolver: Address): Address | undefined {
    const { options, subnetAt, subnetBytes } = this.query;
    if (subnetAt === 0) return resolver;
    if (sourceLengthOf(options, subnetAt) === 0) return undefined;
    const subnet = this.#subnets[subnetFamilyOf(options, subnetAt)];
    readSubnet(options, { at: subnetAt, length: subnetBytes }, subnet);
    return subnet;
  }
}

/** Whether records of a type are those of the boxes that serve the client. */
export function isSteered(type: number): boolean {
  return type === rrTypes.a || type === rrTypes.aaaa || type === rrTypes.https;
}
