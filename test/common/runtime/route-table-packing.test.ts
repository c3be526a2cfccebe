import { zstdCompressSync } from 'node:zlib';
import t from 'tap';
import {
  packRouteTable,
  routeTableBytesMax,
  unpackRouteTable,
} from '../../../common/runtime/route-table-packing.ts';

t.test('what is packed unpacks to the same', async (t) => {
  const bytes = Buffer.from('a route table '.repeat(1000));
  const packed = await packRouteTable(bytes);
  t.ok(packed.length < 100);
  t.strictSame(await unpackRouteTable(packed), bytes);
});

t.test('junk, what is cut off and what would become too large are refused', async (t) => {
  const bomb = zstdCompressSync(Buffer.alloc(routeTableBytesMax + 1));
  const packed = await packRouteTable(Buffer.from('a route table'));
  for (const bytes of [Buffer.from('junk'), packed.subarray(0, -3), bomb]) {
    await t.rejects(unpackRouteTable(bytes), { code: 'ROUTE_TABLE_INVALID' });
  }
});
