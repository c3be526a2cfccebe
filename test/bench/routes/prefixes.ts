import { createRouteTableBuilder, type RouteTable } from '../../../common/core/route-table.ts';
import { listRoutes } from '../../../control-plane/core/route-rows.ts';
import { pick, seededRandom } from '../../support/seeded.ts';

// As route collectors publish them: most are /24 and /48.
const lengths4 = [24, 24, 24, 24, 24, 24, 23, 22, 22, 21, 20, 19, 18, 17, 16];
const lengths6 = [48, 48, 48, 48, 44, 44, 40, 36, 32, 32];
const keys = { classOrder: 0, asPathLength: 2, med: 0 };

/** So many prefixes of both families, each once. */
export function makePrefixes(ipv4: number, ipv6: number): RouteTable {
  const random = seededRandom(7);
  const builder = createRouteTableBuilder();
  const seen = { 4: new Set<number>(), 6: new Set<number>() };
  while (seen[4].size < ipv4) {
    const length = lengths4[pick(random, lengths4.length)] ?? 24;
    const word = ((0x01000000 + pick(random, 0x7d000000)) & (-1 << (32 - length))) >>> 0;
    const name = word * 64 + length;
    if (seen[4].has(name)) continue;
    seen[4].add(name);
    builder.add({ address: { family: 4, words: [word] }, length }, keys);
  }
  while (seen[6].size < ipv6) {
    const length = lengths6[pick(random, lengths6.length)] ?? 48;
    const high = 0x24000000 + pick(random, 0x1000000);
    const low = length === 32 ? 0 : ((pick(random, 0x10000) << 16) & (-1 << (64 - length))) >>> 0;
    const name = (high * 2 ** 16 + (low >>> 16)) * 2 + (length & 1);
    if (seen[6].has(name)) continue;
    seen[6].add(name);
    builder.add({ address: { family: 6, words: [high, low, 0, 0] }, length }, keys);
  }
  return builder.build();
}

/** The prefixes in text, by family. */
export function prefixTexts(table: RouteTable): { prefixes4: string[]; prefixes6: string[] } {
  const texts = listRoutes(table).map(({ prefix }) => prefix);
  const isIpv6 = (prefix: string): boolean => prefix.includes(':');
  return { prefixes4: texts.filter((prefix) => !isIpv6(prefix)), prefixes6: texts.filter(isIpv6) };
}
