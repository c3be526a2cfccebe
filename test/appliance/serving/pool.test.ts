import { once } from 'node:events';
import { readFile, truncate } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';

import { readConfig } from '../../../appliance/config.ts';
import { PoolServing } from '../../../appliance/serving/pool.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import { createKeyring } from '../../../common/runtime/keyring.ts';
import { generateKey } from '../../../common/runtime/keys.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import { createMetrics } from '../../../common/runtime/metrics.ts';
import { putFile, seededBytes, testBundle, testFile } from '../../support/appliance/content.ts';
import { openSocket, rawGet, until } from '../../support/appliance/raw-http.ts';
import { engineKinds, temporaryDirectory, type EngineKind } from '../../support/appliance/serving-box.ts';
import {
  childrenOf,
  isAlive,
  makePool,
  ownerOf,
  startPool,
  type TestPool,
} from '../../support/appliance/serving-pool.ts';

/** Enough new connections that the kernel gives some to each of two workers: all to one is 1 in 8 million. */
const many = 24;

async function statuses(pool: TestPool, path: string): Promise<number[]> {
  const answers = await Promise.all(
    Array.from({ length: many }, () => rawGet(pool.port, path, { method: 'HEAD' })),
  );
  return [...new Set(answers.map(({ status }) => status))];
}

async function counter(pool: TestPool, line: RegExp): Promise<number> {
  const { body } = await rawGet(pool.port, '/metrics');
  return Number(line.exec(body.toString())?.[1] ?? 0);
}

const answered = /^nearcast_requests_total\{status="200"\} (\d+)/m;
const sentBytes = /^nearcast_sent_bytes_total\{scope="play"\} (\d+)/m;

/** A client that asks for the film and reads nothing of it until told. */
async function slowClient(pool: TestPool): Promise<{ socket: Socket; rest: () => Promise<Buffer> }> {
  const socket = await openSocket(pool.port);
  socket.pause();
  socket.write(`GET ${pool.path()} HTTP/1.1\r\nhost: box\r\nconnection: close\r\n\r\n`);
  const rest = async (): Promise<Buffer> => {
    const parts: Buffer[] = [];
    socket.on('data', (part: Buffer) => parts.push(part));
    socket.resume();
    await once(socket, 'close');
    const all = Buffer.concat(parts);
    return all.subarray(all.indexOf('\r\n\r\n') + 4);
  };
  return { socket, rest };
}

/** Connections that nobody has accepted yet, on all sockets of a port. */
async function queueLength(port: number): Promise<number> {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const lines = (await readFile('/proc/net/tcp', 'utf8')).split('\n').map((line) => line.trim().split(/\s+/));
  const listening = lines.filter(([, local, , state]) => local === `0100007F:${hex}` && state === '0A');
  return listening.reduce((sum, [, , , , queues = '']) => sum + parseInt(queues.split(':')[1] ?? '0', 16), 0);
}

function dropped(socket: Socket): boolean {
  socket.destroy();
  return false;
}

for (const kind of engineKinds) void t.test(`the ${kind} engine in workers`, (each) => workers(each, kind));

async function workers(t: Test, kind: EngineKind): Promise<void> {
  await t.test('several workers serve on one port, and what they count is summed', async (test) => {
    const pool = await startPool(test, { kind });
    const pids = childrenOf();
    test.equal(pids.length, 2);
    const body = Buffer.from(await (await fetch(pool.url + pool.path())).arrayBuffer());
    test.ok(body.equals(pool.film.bytes));
    const sockets = await Promise.all(Array.from({ length: many }, () => openSocket(pool.port)));
    const owners = new Set<number | undefined>();
    await until(async () => {
      for (const socket of sockets) owners.add(await ownerOf(socket, pids));
      owners.delete(undefined);
      return owners.size === 2;
    });
    await until(() => pool.serving.load().connections >= many);
    for (const socket of sockets) socket.destroy();

    test.same(await statuses(pool, pool.path()), [200]);
    test.equal(await counter(pool, answered), many + 1);
    test.equal(await counter(pool, /^nearcast_serving_workers_count (\d+)/m), 2);
    test.equal(
      await counter(pool, /^nearcast_build_info\{.*\} (\d+)/m),
      1,
      'what is one of the box is not summed',
    );
    await until(() => pool.served() === pool.film.bytes.length);
    test.equal(await counter(pool, sentBytes), pool.film.bytes.length);
    const pictured = await fetch(pool.url + pool.path(pool.token(undefined, 'picture')));
    test.equal((await pictured.arrayBuffer()).byteLength, pool.film.bytes.length);
    await until(() => pool.served('picture') === pool.film.bytes.length);
    test.equal(pool.served('play'), pool.film.bytes.length, 'what is looked at is not played');
    test.equal(await counter(pool, /^nearcast_sent_bytes_total\{scope="picture"\} (\d+)/m), 300_000);
    await until(() => pool.serving.load().liveSessions === 2);
    test.match(await (await fetch(`${pool.url}/healthz`)).json(), {
      status: 'ok',
      name: 'box',
      version: '1.2.3',
    });
    test.same(pool.serving.reasons(), []);
  });

  await t.test('closed at any moment of its start, it ends and leaves no process behind', async (test) => {
    const early = await makePool(test, { kind });
    const never = early.serving.start();
    await Promise.all([early.serving.close(0), test.rejects(never, { code: 'ABORTED' })]);
    const later = await makePool(test, { kind });
    const cut = later.serving.start();
    await until(() => childrenOf().length === 2);
    // Before they could say anything.
    for (const pid of childrenOf()) process.kill(pid, 'SIGKILL');
    await Promise.all([later.serving.close(0), test.rejects(cut, { code: 'ABORTED' })]);
    test.same(childrenOf(), []);
  });

  await t.test(
    'a worker that is killed disturbs nobody else, and nothing that was counted is lost',
    async (test) => {
      const pool = await startPool(test, { kind, filmBytes: 12_000_000 });
      const pids = childrenOf();
      await rawGet(pool.port, pool.path(), { headers: { range: 'bytes=0-99999' } });
      await until(() => pool.served() === 100_000);
      const slow = await slowClient(pool);
      let owner: number | undefined;
      await until(async () => (owner = await ownerOf(slow.socket, pids)) !== undefined);
      const before = {
        requests: await counter(pool, /status="206"\} (\d+)/),
        bytes: await counter(pool, sentBytes),
      };
      const victim = pids.find((pid) => pid !== owner) ?? 0;
      process.kill(victim, 'SIGKILL');
      await until(() => childrenOf().length === 2 && !childrenOf().includes(victim));

      test.same(await statuses(pool, pool.path()), [200], 'its successor serves');
      test.ok((await slow.rest()).equals(pool.film.bytes), "the other worker's connections go on");
      test.ok((await counter(pool, sentBytes)) >= before.bytes);
      test.ok((await counter(pool, /status="206"\} (\d+)/)) >= before.requests);
      await until(() => pool.served() === pool.film.bytes.length + 100_000);
      test.same(pool.serving.reasons(), [], 'once is no failure');
    },
  );

  await t.test(
    'whoever waits in the queue of a worker that dies is answered by the next one',
    async (test) => {
      const pool = await startPool(test, { kind });
      const pids = childrenOf();
      // It stands still, so that nothing is accepted and the kernel's queue fills.
      const [stopped = 0] = pids;
      process.kill(stopped, 'SIGSTOP');
      const waiting = Array.from({ length: many }, () => rawGet(pool.port, pool.path()));
      let done = 0;
      for (const each of waiting) void each.then(() => done++);
      // The other worker has answered all of its own.
      await until(async () => (await queueLength(pool.port)) > 0 && done > 0);
      process.kill(stopped, 'SIGKILL');
      const answers = await Promise.all(waiting);
      test.ok(answers.every(({ status, body }) => status === 200 && body.equals(pool.film.bytes)));
    },
  );

  await t.test(
    'revocations, keys, holdings and drains reach every worker, also one that starts later',
    async (test) => {
      const pool = await startPool(test, { kind });
      const session = 'ab'.repeat(16);
      const path = pool.path(pool.token(session));
      test.same(await statuses(pool, path), [200]);
      pool.serving.setRevocations({ sessions: [session], bundles: [] });
      await until(async () => (await statuses(pool, path)).join() === '403');
      const [victim = 0] = childrenOf();
      process.kill(victim, 'SIGKILL');
      await until(() => !childrenOf().includes(victim) && childrenOf().length === 2);
      test.same(await statuses(pool, path), [403], 'its successor knows them too');

      const other = testFile(seededBytes(1000, 9));
      const otherBundle = testBundle([other]);
      const token = pool.token('cd'.repeat(16));
      test.same(await statuses(pool, `/v1/${token}/${other.file}.mp4`), [403]);
      for (const file of [other, otherBundle]) await putFile(pool.store, file);
      await pool.store.remove(pool.film.file);
      await until(async () => (await statuses(pool, pool.path(token))).join() === '404');
      await putFile(pool.store, pool.film);
      await until(async () => (await statuses(pool, pool.path(token))).join() === '200');

      pool.serving.setState('draining');
      await until(async () => {
        const texts = await Promise.all(Array.from({ length: many }, () => rawGet(pool.port, '/healthz')));
        return texts.every(({ body }) => body.includes('"draining"'));
      });
    },
  );

  await t.test('a drain knows the sessions of the whole box, whichever worker they come to', async (test) => {
    const pool = await startPool(test, { kind });
    const token = pool.token();
    test.equal((await rawGet(pool.port, pool.path(token))).status, 200);
    await until(() => pool.serving.load().liveSessions === 1);
    pool.serving.admit('known-sessions');
    await until(async () => (await statuses(pool, pool.path())).join() === '429');
    await until(async () => (await statuses(pool, pool.path(token))).join() === '200');
    pool.serving.admit('nobody');
    await until(async () => (await statuses(pool, pool.path(token))).join() === '429');
    pool.serving.admit('all');
    await until(async () => (await statuses(pool, pool.path())).join() === '200');
  });

  await t.test('what a worker finds cut or gone is withdrawn by the master, for all', async (test) => {
    const pool = await startPool(test, { kind });
    const { file } = pool.film;
    await truncate(`${pool.directory}/files/${file.slice(0, 2)}/${file}`, 1000);
    const path = pool.path();
    await until(async () => (await statuses(pool, path)).join() === '404');
    await until(() => !pool.store.held.has(file));
    test.ok(pool.store.held.has(pool.bundle.file));
    await pool.store.remove(file);
    await putFile(pool.store, pool.film);
    await until(async () => (await statuses(pool, path)).join() === '200');
  });

  await t.test('a worker that dies again and again is told of, and the others serve', async (test) => {
    const pool = await startPool(test, { kind });
    const [first = 0, second = 0] = childrenOf();
    let victim = first;
    await until(async () => {
      const other = childrenOf().find((pid) => pid !== second);
      if (other !== undefined && other !== victim) victim = other;
      if (await isAlive(victim)) process.kill(victim, 'SIGKILL');
      return pool.serving.reasons().includes('SERVING_WORKER_FAILED');
    }, 20_000);
    test.same(await statuses(pool, pool.path()), [200], 'nobody waits for it');
    test.ok(await isAlive(second));
  });

  await t.test(
    'at the end what is in flight finishes, nothing new is taken, and no process is left',
    async (test) => {
      const pool = await startPool(test, { kind, filmBytes: 12_000_000 });
      const pids = childrenOf();
      const slow = await slowClient(pool);
      await until(() => pool.serving.load().liveRequests === 1);
      const closed = pool.serving.close(20_000);
      await until(() => openSocket(pool.port).then(dropped, () => true));
      test.ok((await slow.rest()).equals(pool.film.bytes));
      await closed;
      for (const pid of pids) test.notOk(await isAlive(pid));
      test.equal(pool.served(), pool.film.bytes.length, 'the last bytes are told before the end');
    },
  );
}

void t.test('what keeps workers from starting is said', async (test) => {
  const directory = await temporaryDirectory(test);
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  test.teardown(() => taken.close());
  const address = taken.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  const clock = createSystemClock();
  const make = (...argv: string[]): PoolServing => {
    const base = ['--control-url', 'http://127.0.0.1:1', '--data-dir', directory, '--engine', 'node'];
    const serving = new PoolServing({
      ...{
        config: readConfig([...base, ...argv], {}),
        name: 'box',
        version: '1.2.3',
        clock,
        addon: undefined,
      },
      ...{ log: createSilentLog(), keyring: createKeyring({ rootJwk: generateKey().publicJwk, clock }) },
      ...{
        store: undefined,
        metrics: createMetrics({ name: 'box', version: '1.2.3' }),
        onServed: () => undefined,
      },
    });
    test.teardown(() => serving.close(0));
    return serving;
  };
  await test.rejects(make('--port', String(port), '--workers', '2').start(), { code: 'ADDRESS_IN_USE' });
  await test.rejects(make('--port', '0', '--host', '192.0.2.1').start(), { code: 'ADDRESS_UNAVAILABLE' });
  const blobs = ['--origin', '--blobs-url', 'gopher://nowhere'];
  await test.rejects(make('--port', '0', '--workers', '2', ...blobs).start(), {
    code: 'SERVING_WORKER_FAILED',
    message: /worker 1: CONFIG_INVALID blobs are opened by/,
  });
});
