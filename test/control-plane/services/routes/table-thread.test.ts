import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import t, { type Test } from 'tap';
import { encodeRouteTableDelta, nameRouteTable } from '../../../../common/core/route-table-delta.ts';
import { createRouteTableBuilder } from '../../../../common/core/route-table.ts';
import { packRouteTable } from '../../../../common/runtime/route-table-packing.ts';
import { createTableThread } from '../../../../control-plane/services/routes/table-thread.ts';
import { createTables } from '../../../../control-plane/services/routes/tables.ts';
import { createTableWork } from '../../../../control-plane/services/routes/table-work.ts';

const policy = { allowed: undefined, routesMax: 100_000 };

/** Many routes, of which one in 1000 has this MED. */
function flood(count: number, med = 0) {
  const builder = createRouteTableBuilder();
  for (let at = 0; at < count; at++) {
    const address = { family: 4, words: [0x0100_0000 + at * 0x200] } as const;
    const keys = { classOrder: 0, asPathLength: at % 5, med: at % 1000 === 0 ? med : 0 };
    builder.add({ address, length: 23 }, keys);
  }
  return nameRouteTable(builder.build());
}

async function folder(test: Test): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'nearcast-tables-'));
  test.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

t.test('what is done with a flood of routes is done in the thread', async (test) => {
  const [before, after] = [flood(400_000), flood(400_000, 7)];
  const whole = await packRouteTable(before.bytes);
  const delta = await packRouteTable(encodeRouteTableDelta(before, after));
  const directory = await folder(test);
  await writeFile(join(directory, `${before.name}.zst`), whole);
  await writeFile(join(directory, `${after.name}.zst`), await packRouteTable(after.bytes));
  const work = createTableThread(directory);
  const box = { id: 'box', addresses: [], routeFeed: true, refused: [], flapping: [] };
  const [own, all] = [process.threadCpuUsage(), process.cpuUsage()];
  const taken = await work.take({ kind: 'whole', packed: whole }, policy, []);
  const patched = await work.take({ kind: 'delta', from: before.name, packed: delta }, policy, [after.name]);
  const changed = await work.changed(before.name, after.name);
  const { count, rows } = await work.pick(after.name, { kind: 'all' }, 3);
  const linted = await work.lint({
    ...{ cluster: [{ ...box, used: after.name }], asked: ['box'] },
    ...{ siteMates: [], partnerMates: [] },
  });
  const sites = await work.mergeSites([before.name, after.name]);
  const share = process.threadCpuUsage(own).user / process.cpuUsage(all).user;
  test.ok(share < 0.3, `of the processor's time ${Math.round(100 * share)} % are this thread's`);
  test.match(taken, {
    ...{ ipv4: 100_000, ipv6: 0, toldCount: 400_000, told: { name: before.name } },
    refused: [{ refusal: 'over-limit', count: 300_000 }],
  });
  test.match(patched.told, { name: after.name, packed: undefined });
  test.match(
    { changed: changed.length, count, rows: rows.length },
    { changed: 400, count: 400_000, rows: 3 },
  );
  test.match(linted, [{ id: 'box', findings: [{ fault: 'no-ipv6', count: 400_000 }] }]);
  test.ok(sites[4].index.buffer instanceof SharedArrayBuffer, 'and is not copied');
});

t.test('what it says is what is said without it', async (test) => {
  const directory = await folder(test);
  const table = flood(2000);
  const packed = await packRouteTable(table.bytes);
  await writeFile(join(directory, `${table.name}.zst`), packed);
  const [thread, here] = [createTableThread(directory), createTableWork(directory)];
  for (const work of [thread, here]) {
    const taken = await work.take({ kind: 'kept', name: table.name }, policy, [table.name]);
    test.match(taken, {
      ipv4: 2000,
      open: false,
      refused: [],
      used: { name: table.name, packed: undefined },
    });
    test.equal(await work.difference(table.name, table.name).then((bytes) => bytes !== undefined), true);
    const invalid = { kind: 'whole', packed: Buffer.from('no table') } as const;
    await test.rejects(work.take(invalid, policy, []), { code: 'ROUTE_TABLE_INVALID' });
  }
});

/** The threads that are started in a test. */
function startedThreads(test: Test): Worker[] {
  const workers: Worker[] = [];
  const note = (worker: Worker): void => {
    workers.push(worker);
  };
  process.on('worker', note);
  test.teardown(() => process.off('worker', note));
  return workers;
}

t.test('a thread that dies fails what it was asked, and another is started', async (test) => {
  const workers = startedThreads(test);
  const work = createTableThread(await folder(test));
  const packed = await packRouteTable(flood(100_000).bytes);
  const started = new Promise<void>((resolve) => {
    process.once('worker', () => {
      resolve();
    });
  });
  const taking = work.take({ kind: 'whole', packed }, policy, []);
  await started;
  await workers[0]?.terminate();
  await test.rejects(taking, { code: 'INTERNAL' });
  test.match(await work.take({ kind: 'whole', packed }, policy, []), { ipv4: 100_000 });
  test.equal(workers.length, 2);
});

t.test(
  'few routes need no thread; a large table does, or many of them; what is damaged is told of',
  async (test) => {
    const workers = startedThreads(test);
    const directory = await folder(test);
    const [small, large] = [flood(100), flood(50_000)];
    for (const [name, content] of [
      [small.name, 'damaged'],
      [large.name, await packRouteTable(large.bytes)],
    ] as const)
      await writeFile(join(directory, `${name}.zst`), content);
    const lost: string[] = [];
    const tables = (routes: number) =>
      createTables({
        directory,
        routeCount: () => routes,
        onUnknown: async (name) => {
          lost.push(name);
        },
      });
    const few = tables(100);
    const take = async ({ bytes }: typeof small) =>
      (await few.take({ kind: 'whole', packed: await packRouteTable(bytes) }, policy, [])).ipv4;
    test.equal(await take(small), 100);
    await test.rejects(few.pick('0'.repeat(64), { kind: 'all' }, 1), { code: 'ROUTE_TABLE_UNKNOWN' });
    test.equal(workers.length, 0);
    test.equal(await take(large), 50_000);
    test.equal(workers.length, 1);
    test.equal(await take(small), 100);
    const many = tables(1_000_000);
    test.match(await many.pick(large.name, { kind: 'all' }, 1), { count: 50_000 });
    test.equal(workers.length, 2);
    await test.rejects(many.pick(small.name, { kind: 'all' }, 1), { code: 'ROUTE_TABLE_UNKNOWN' });
    test.same(lost, ['0'.repeat(64), small.name]);
  },
);
