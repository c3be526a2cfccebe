// A made-up world at full size: a full table of IPv4 and IPv6 prefixes, parted among ISPs that each have a site of four boxes, and
// two exchanges of two boxes, each of which reaches half of all prefixes. So every prefix is announced by six appliances.
import { createHash } from 'node:crypto';

import { encodeRouteTable } from '../../../common/core/route-table-codec.ts';
import {
  createRouteTableBuilder,
  packRouteKeys,
  RouteColumns,
  type RouteTable,
} from '../../../common/core/route-table.ts';
import { pick, seededRandom } from '../../support/seeded.ts';

export interface WorldSize {
  readonly prefixes4: number;
  readonly prefixes6: number;
  readonly appliances: number;
}

export const fullWorld: WorldSize = { prefixes4: 1_000_000, prefixes6: 200_000, appliances: 1000 };
export const quickWorld: WorldSize = { prefixes4: 50_000, prefixes6: 10_000, appliances: 100 };

/** How many titles there are, and the name of each. */
export const bundleCount = 10_000;
export const bundleAt = (at: number): string => createHash('sha256').update(`${at}`).digest('hex');

/** How many clients ask in a round. */
export const clientCount = 1 << 20;

const boxesPerSite = 4;
const exchangeBoxes = 4;
/** Shares of prefix lengths, after the tables that route collectors publish: most are /24 and /48. */
const lengths4 = [24, 24, 24, 24, 24, 24, 23, 22, 22, 21, 20, 19, 18, 17, 16];
const lengths6 = [48, 48, 48, 48, 46, 44, 44, 40, 36, 32, 32, 29];

/** Every prefix of the world, whoever announces it. */
export function makePrefixes({ prefixes4, prefixes6 }: WorldSize): RouteTable {
  const random = seededRandom(5);
  const builder = createRouteTableBuilder();
  const keys = { classOrder: 0, asPathLength: 0, med: 0 };
  const masked = (word: number, bits: number): number =>
    bits <= 0 ? 0 : (word & (-1 << (32 - Math.min(32, bits)))) >>> 0;
  const seen = { 4: new Set<number>(), 6: new Set<number>() };
  while (seen[4].size < prefixes4) {
    const length = lengths4[pick(random, lengths4.length)] ?? 24;
    const word = masked(0x01000000 + pick(random, 0xdf000000), length);
    const name = word * 64 + length;
    if (seen[4].has(name)) continue;
    seen[4].add(name);
    builder.add({ address: { family: 4, words: [word] }, length }, keys);
  }
  while (seen[6].size < prefixes6) {
    const length = lengths6[pick(random, lengths6.length)] ?? 48;
    const allocation = 0x24000000 + pick(random, 30_000) * 0x1000;
    const low = pick(random, 0x10000) * 0x10000;
    const words = [masked(allocation, length), masked(low, length - 32), 0, 0];
    const name = ((words[0] ?? 0) * 2 ** 16 + ((words[1] ?? 0) >>> 16)) * 32 + (length - 24);
    if (seen[6].has(name)) continue;
    seen[6].add(name);
    builder.add({ address: { family: 6, words }, length }, keys);
  }
  return builder.build();
}

/**
 * Addresses of clients within the prefixes, in words: any prefix as often as another, or some more often than others (the one of rank n
 * in proportion to 1/n, as networks differ in their viewers), in no order.
 */
export function makeClients({ family, words }: RouteTable[4], isSkewed: boolean): Uint32Array {
  const random = seededRandom(isSkewed ? 4 : 3);
  const width = family === 4 ? 1 : 4;
  const rows = words.length / width;
  const order = Uint32Array.from({ length: rows }, (_, row) => row);
  for (let at = rows - 1; at > 0; at--) {
    const other = pick(random, at + 1);
    [order[at], order[other]] = [order[other]!, order[at]!];
  }
  const clients = new Uint32Array(clientCount * width);
  for (let at = 0; at < clients.length; at += width) {
    const rank = isSkewed ? Math.floor(rows ** random()) - 1 : pick(random, rows);
    const from = order[Math.min(rank, rows - 1)]! * width;
    // Every prefix leaves these bits to its hosts: the last 8 of an IPv4 address, and all from the 49th on of IPv6.
    clients[at] = words[from]! | (width === 1 ? pick(random, 2 ** 8) : 0);
    if (width === 1) continue;
    clients[at + 1] = words[from + 1]! | pick(random, 2 ** 16);
    clients[at + 2] = pick(random, 2 ** 32);
    clients[at + 3] = pick(random, 2 ** 32);
  }
  return clients;
}

function mix(value: number): number {
  const mixed = Math.imul(value ^ (value >>> 16), 0x45d9f3b);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}

/** The tables of all appliances in their canonical bytes, by index; cluster mates of half of the sites share one. */
export function makeTables(size: WorldSize, prefixes: RouteTable): Uint8Array[] {
  const sites = Math.floor((size.appliances - exchangeBoxes) / boxesPerSite);
  const owned = Array.from({ length: sites + 2 }, () => ({
    4: new RouteColumns(4, 16),
    6: new RouteColumns(6, 16),
  }));
  for (const family of [4, 6] as const) {
    const { words, lengths } = prefixes[family];
    const wordCount = family === 4 ? 1 : 4;
    for (let row = 0; row < lengths.length; row++) {
      const at = row * wordCount;
      // An ISP has its prefixes in blocks, and reaches those of a block alike.
      const block = mix((words[at] ?? 0) >>> 14);
      const length = lengths[row] ?? 0;
      const embedded = packRouteKeys({ classOrder: 0, asPathLength: block % 4, med: 0 });
      owned[block % sites]?.[family].push(words, at, { length, key: embedded });
      const exchange = packRouteKeys({ classOrder: 2, asPathLength: 1 + (block % 7), med: 0 });
      owned[sites + ((block >>> 8) % 2)]?.[family].push(words, at, { length, key: exchange });
    }
  }
  return owned.flatMap((columns, site) => {
    const table = { 4: columns[4].routes(), 6: columns[6].routes() };
    const boxes = site < sites ? boxesPerSite : exchangeBoxes / 2;
    const first = encodeRouteTable(table);
    return Array.from({ length: boxes }, (_, box) => {
      if (site % 2 === 0 || box === 0) return first;
      for (const family of [4, 6] as const)
        table[family].keys.forEach((key, row) => (table[family].keys[row] = key + 1));
      return encodeRouteTable(table);
    });
  });
}

/** Where an appliance stands, and whether it is at an exchange. */
export function siteOf({ appliances }: WorldSize, index: number): { site: string; open: boolean } {
  const sites = Math.floor((appliances - exchangeBoxes) / boxesPerSite);
  const site = Math.floor(index / boxesPerSite);
  if (site < sites) return { site: `isp-${site}`, open: false };
  return { site: `ix-${Math.floor((index - sites * boxesPerSite) / (exchangeBoxes / 2))}`, open: true };
}
