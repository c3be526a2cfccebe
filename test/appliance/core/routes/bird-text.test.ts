import fc from 'fast-check';
import t from 'tap';

import { asPathLength, segmentsLength } from '../../../../appliance/core/routes/as-path.ts';
import { BirdLines } from '../../../../appliance/core/routes/bird-lines.ts';
import { BirdProtocolReader } from '../../../../appliance/core/routes/bird-protocols.ts';
import { BirdRouteReader } from '../../../../appliance/core/routes/bird-routes.ts';
import { createRouteClassifier } from '../../../../appliance/core/routes/route-classes.ts';
import { formatPrefix } from '../../../../common/core/ip-address.ts';
import { routeClasses, type RouteKeys } from '../../../../common/core/route-table.ts';
import { prefixArb } from '../../../support/route-tables.ts';

type Line = [code: number, text: string];

/** Cuts a text into pieces at any places and gives the lines that come of them. */
function readInPieces(
  text: string,
  cuts: readonly number[],
): { lines: Line[]; isLast: boolean; ok: boolean } {
  const lines: Line[] = [];
  const reader = new BirdLines((code, line) => lines.push([code, line]));
  const ends = [...cuts.map((cut) => cut % (text.length + 1)), text.length].sort((a, b) => a - b);
  let from = 0;
  let isLast = false;
  for (const end of ends) {
    const taken = reader.push(text.slice(from, end));
    if (!taken.ok) return { lines, isLast, ok: false };
    isLast = taken.value;
    from = end;
    if (isLast) break;
  }
  return { lines, isLast, ok: true };
}

function readRoutes(text: string, rules: readonly string[] = []) {
  const found: [prefix: string, keys: RouteKeys][] = [];
  const reader = new BirdRouteReader({
    classifier: createRouteClassifier(rules, 'embedded'),
    onRoute: ({ address, length }, keys) => found.push([formatPrefix(address, length), keys]),
  });
  for (const [code, line] of readInPieces(text, []).lines) reader.line(code, line);
  reader.end();
  return { found, passedOver: reader.passedOver };
}

const reply = `1007-Table master4:
 203.0.113.0/24       unicast [isp 18:54:56.880] * (100) [AS65003i]
 	via 10.9.0.1 on line
1008-	Type: BGP univ
1012-	BGP.origin: IGP
 	BGP.as_path: 65001 {65002 65003} (65010 65011) ({65012})
 	BGP.next_hop: 10.9.0.1
 	BGP.med: 4294967295
 	BGP.local_pref: 100
 	BGP.community: (65001,100) (65001,101)
 		(65001,300) (65001,301)
 	BGP.large_community: (65001, 1, 2)
1007-198.51.100.0/24      blackhole [isp 18:54:56.880] * (100) [AS65001i]
1008-	Type: BGP univ
1012-	BGP.origin: IGP
 	BGP.as_path: 65001
1007-
 Table master6:
 2001:db8:1::/48      unreachable [isp 2026-11-21 from 10.9.0.1] * (100/-) [AS65001i]
1008-	Type: BGP univ
1012-	BGP.origin: IGP
 	BGP.as_path: 
 	BGP.next_hop: 2001:db8:ff::1 fe80::1
 	BGP.ext_community: (rt, 65001, 300)
1007-10.0.0.1/8           unicast [isp 18:54:56.880] * (100) [AS65001i]
0000 
`;

t.test('routes of BIRD 2: attributes, sets and confederations, routes to nowhere, host bits', async (t) => {
  const { found, passedOver } = readRoutes(reply, ['65001:300=public', '65001:1:2=private']);
  t.strictSame(found, [
    ['203.0.113.0/24', { classOrder: routeClasses.indexOf('public'), asPathLength: 2, med: 4_294_967_295 }],
    ['2001:db8:1::/48', { classOrder: 0, asPathLength: 0, med: 0 }],
  ]);
  t.strictSame(passedOver, { unreadable: 1, discarding: 1 });
  const first = (rules: string[]) => routeClasses[readRoutes(reply, rules).found[0]?.[1].classOrder ?? 9];
  t.equal(first(['65001:1:2=private', '65001:300=public']), 'private', 'the first rule counts');
  t.equal(first(['65001:3=public']), 'embedded');
  t.equal(first(['65001:300=private', '65001:300=public']), 'private', 'the first of the same community too');
});

t.test('the length of a path: however long, cut short, or of segments', async (t) => {
  const sizes: [string, number][] = [
    ['', 0],
    ['65001', 1],
    ['4200000000 65001 65001', 3],
    ['{1 2 3}', 1],
    ['(1 2) 3', 1],
    ['({1 2}) {3} 4', 2],
    ['1 2 3...', 3],
    ['65001 65002 65001 65002', 4],
    ['0 23456 64512 4294967295', 4],
    [Array<string>(255).fill('65001').join(' '), 255],
    [Array<string>(256).fill('65001').join(' '), 255],
    [`65001 {${Array<string>(500).fill('65002').join(' ')}}`, 2],
    [Array.from({ length: 1000 }, (_, as) => as).join(' '), 255],
  ];
  for (const [path, length] of sizes) t.equal(asPathLength(path), length, path.slice(0, 30));
  const segments = [
    { type: 2, asCount: 3 },
    { type: 1, asCount: 9 },
    { type: 3, asCount: 2 },
    { type: 4, asCount: 2 },
    { type: 99, asCount: 7 },
  ];
  t.equal(segmentsLength(segments), 4);
  t.equal(segmentsLength([{ type: 2, asCount: 300 }]), 255);
});

t.test('a reply reads the same in pieces of any size', async () => {
  const whole = readInPieces(reply, []);
  fc.assert(
    fc.property(fc.array(fc.nat(reply.length), { maxLength: 30 }), (cuts) => {
      const read = readInPieces(reply, cuts);
      return read.isLast && JSON.stringify(read.lines) === JSON.stringify(whole.lines);
    }),
  );
});

t.test('whatever BGP speakers make BIRD print, only prefixes become routes, and nothing throws', async () => {
  const anything = fc.oneof(
    fc.string(),
    fc.string({ unit: 'binary' }),
    fc.constantFrom('\t', '\t\t', '(', ',', '-1'),
  );
  const line = fc.oneof(
    fc.tuple(prefixArb(4), anything).map(([{ address, length }, rest]) => `1007-${formatPrefix(address, length)} unicast ${rest}`), // prettier-ignore
    fc.tuple(fc.constantFrom('as_path', 'med', 'community', 'large_community', 'x'), anything).map(([name, rest]) => `1012-\tBGP.${name}: ${rest}`), // prettier-ignore
    anything.map((rest) => ` ${rest}`),
    anything,
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 30 }), (lines) => {
      const text = `${lines.map((one) => one.replaceAll('\n', ' ')).join('\n')}\n0000 \n`;
      return readRoutes(text, ['1:2=public']).found.every(
        ([prefix, { asPathLength: length, med, classOrder }]) => {
          const isKeys = length >= 0 && length <= 255 && med >= 0 && med < 2 ** 32 && classOrder <= 2;
          return isKeys && /^[0-9a-f.:]+\/\d+$/.test(prefix);
        },
      );
    }),
  );
});

t.test('what does not speak like BIRD is refused', async (t) => {
  for (const text of [
    'HTTP/1.1 400 Bad Request\r\n',
    '12-x\n',
    '1007=x\n',
    '\n',
    '0000 \n0000 \n',
    'x'.repeat(5000),
  ]) {
    t.equal(readInPieces(text, []).ok, false, text.slice(0, 20));
  }
  t.equal(readInPieces('0016 Access restricted\n', []).isLast, true);
  t.same(readInPieces('+ a line of its log\n0001 ready\n', []).lines, [[1, 'ready']]);
});

t.test(
  'sessions of BIRD 2: up, down, and counters that move with routes and with nothing else',
  async (t) => {
    const text = `2002-Name       Proto      Table      State  Since         Info
1002-device1    Device     ---        up     18:54:50.079  
1006-
1002-isp        BGP        ---        up     2026-11-21 18:54:53  Established   
1006-  BGP state:          Established
     Hold timer:       220.061/240
   Channel ipv4
     Routes:         3 imported, 0 exported, 3 preferred
     Route change stats:     received   rejected   filtered    ignored   accepted
       Import updates:              3          0          0          0          3
       Import withdraws:            0          0        ---          0          0
       Export updates:              3          3          0        ---          0
 
1002-my.isp-2   BGP        ---        start  18:54:53.878  Active        Socket: Connection refused
0000 
`;
    const read = (changed: string) => {
      const reader = new BirdProtocolReader();
      for (const [code, line] of readInPieces(changed, []).lines) reader.line(code, line);
      return reader.protocols;
    };
    const protocols = read(text);
    t.match(protocols, [
      { name: 'device1', kind: 'Device', isUp: true },
      { name: 'isp', kind: 'BGP', isUp: true, info: 'Established' },
      { name: 'my.isp-2', kind: 'BGP', isUp: false, info: 'Active        Socket: Connection refused' },
    ]);
    const countersOf = (changed: string) => read(changed)[1]?.counters;
    t.equal(countersOf(text.replace('220.061', '12.5').replace('Export updates:              3', 'Export updates: 9')), protocols[1]?.counters); // prettier-ignore
    t.not(
      countersOf(text.replace('Import updates:              3', 'Import updates: 4')),
      protocols[1]?.counters,
    );
  },
);
