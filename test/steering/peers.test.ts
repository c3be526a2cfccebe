import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { PathwayHealth, type SteeringPeer } from '../../common/contract/health.ts';
import { SteeringStatus } from '../../common/contract/steering.ts';
import { parseAs } from '../../common/runtime/parse.ts';
import { freePort } from '../support/free-port.ts';
import { openWay, type CuttableWay } from '../support/cuttable-way.ts';
import { startSteeringControl, type SteeringControl } from '../support/steering-control.ts';
import { appliance, mapOf } from '../support/steering-maps.ts';
import {
  startBox,
  startSteering,
  until,
  type FakeBox,
  type SteeringProcess,
} from '../support/steering-process.ts';

// Processes of their own take their time beside other tests.
t.setTimeout(300_000);

interface Node {
  readonly id: string;
  readonly port: number;
  readonly control: SteeringControl;
  readonly process: SteeringProcess;
  /** Its own ways to each box and to each of the others. */
  readonly boxWays: ReadonlyMap<string, CuttableWay>;
  readonly peerWays: ReadonlyMap<string, CuttableWay>;
  health(box: string): Promise<PathwayHealth>;
  status(): Promise<SteeringStatus>;
  readyStatus(): Promise<number>;
}

interface World {
  readonly nodes: readonly Node[];
  readonly boxes: ReadonlyMap<string, FakeBox & { port: number }>;
}

const boxNames = ['a', 'b', 'c'];

/** Steering nodes that know one another and three boxes, each by ways of its own that a test can cut. */
async function startWorld(t: Test, count: number): Promise<World> {
  const boxes = new Map(
    await Promise.all(boxNames.map(async (name) => [name, await startBox(name)] as const)),
  );
  t.teardown(() => Promise.all([...boxes.values()].map((box) => box.kill())));
  const ids = Array.from({ length: count }, (_, at) => `steering-${at + 1}`);
  const ports = new Map(await Promise.all(ids.map(async (id) => [id, await freePort()] as const)));
  const nodes = await Promise.all(ids.map((id) => startNode(t, id, { ids, ports, boxes })));
  const peers = nodes.map(({ id, control }): SteeringPeer => {
    const key = control.nodeKey();
    if (key === undefined) throw new Error(`${id} has not joined`);
    return { id, key };
  });
  for (const { control, boxWays, peerWays } of nodes) {
    const urlOf = (way: CuttableWay | undefined) => `http://127.0.0.1:${way?.port ?? 0}`;
    const appliances = boxNames.map((name) => appliance(name, { url: urlOf(boxWays.get(name)) }));
    const steering = peers.map((peer) => ({ ...peer, url: urlOf(peerWays.get(peer.id)) }));
    control.publish(await control.signMap(mapOf(appliances, { steering }), 1), 1);
  }
  for (const node of nodes) {
    await until(`all to be in sight of ${node.id}`, async () => {
      const { pathways, peers: seen = [] } = await node.status();
      const isAll = seen.length === count - 1 && seen.every(({ fresh }) => fresh);
      return isAll && pathways.length === 3 && pathways.every(({ healthy }) => healthy);
    });
  }
  return { nodes, boxes };
}

async function startNode(
  t: Test,
  id: string,
  {
    ids,
    ports,
    boxes,
  }: { ids: readonly string[]; ports: ReadonlyMap<string, number>; boxes: World['boxes'] },
): Promise<Node> {
  const control = await startSteeringControl(id);
  t.teardown(() => control.close());
  const port = ports.get(id) ?? 0;
  const dataDir = await mkdtemp(join(tmpdir(), 'steering-'));
  const more = ['--port', String(port), '--no-dns'];
  const process = await startSteering({ dataDir, controlUrl: control.url, code: control.code, more });
  t.teardown(() => process.stop('SIGKILL'));
  const waysTo = async (targets: Iterable<readonly [string, number]>) =>
    new Map(
      await Promise.all(
        [...targets].map(async ([name, to]) => [name, await openWay(t, { port: to })] as const),
      ),
    );
  const boxWays = await waysTo([...boxes].map(([name, box]) => [name, box.port] as const));
  const others = ids.filter((other) => other !== id);
  const peerWays = await waysTo(others.map((other) => [other, ports.get(other) ?? 0] as const));
  const operator = await control.accessToken('operator');
  const ask = async (path: string): Promise<unknown> => {
    const headers = { authorization: `Bearer ${operator}` };
    return (await fetch(`${process.url}${path}`, { headers })).json();
  };
  return {
    ...{ id, port, control, process, boxWays, peerWays },
    health: async (box) =>
      parseAs(PathwayHealth, await ask(`/v1/pathways/${box}/health`), { what: `health at ${id}` }),
    status: async () => parseAs(SteeringStatus, await ask('/v1/status'), { what: `status of ${id}` }),
    readyStatus: async () => (await fetch(`${process.url}/readyz`)).status,
  };
}

t.test('three nodes: what only one cannot reach is up for all, what is dead is down for all', async (t) => {
  const { nodes, boxes } = await startWorld(t, 3);
  const [first] = nodes;
  first?.boxWays.get('a')?.silence();
  await until('the odd vote', async () =>
    (await Promise.all(nodes.map((node) => node.health('a')))).every(({ votes = [] }) =>
      votes.some(({ node, v4 }) => node === 'steering-1' && v4 === 'down'),
    ),
  );
  for (const node of nodes) t.match(await node.health('a'), { verdict: 'up', v4: 'up' }, `of ${node.id}`);
  await boxes.get('b')?.kill();
  const startedMs = performance.now();
  for (const node of nodes) {
    await until(`b to be down at ${node.id}`, async () => (await node.health('b')).verdict === 'down');
  }
  t.comment(`from the kill until all three say so: ${Math.round(performance.now() - startedMs)} ms`);
  t.match((await nodes[2]?.health('b'))?.reason, /of 3 steering nodes: .*\((ECONN|no whole answer)/);
});

t.test('three nodes, one isolated: it keeps still and withdraws, the others go on without it', async (t) => {
  const { nodes, boxes } = await startWorld(t, 3);
  const [first, second, third] = nodes;
  if (first === undefined || second === undefined || third === undefined) throw new Error('no nodes');
  const links = [
    ...third.boxWays.values(),
    ...third.peerWays.values(),
    ...[first, second].flatMap(({ peerWays }) => peerWays.get('steering-3') ?? []),
  ];
  for (const link of links) link.silence();
  await until('its isolation', async () => (await third.status()).sight === 'isolated');
  t.equal(await third.readyStatus(), 503, 'whoever announces it can take it out');
  t.match(await third.status(), { holding: true });
  for (const name of boxNames) t.match(await third.health(name), { verdict: 'up' }, 'the last good state');
  await until('the others to see it gone', async () =>
    (await Promise.all([first.status(), second.status()])).every(({ peers = [] }) =>
      peers.some(({ id, fresh }) => id === 'steering-3' && !fresh),
    ),
  );
  t.match([(await first.status()).sight, await first.readyStatus()], ['clear', 200]);
  await boxes.get('a')?.kill();
  for (const node of [first, second]) {
    await until(`a to be down at ${node.id}`, async () => (await node.health('a')).verdict === 'down');
    t.match(await node.health('b'), { verdict: 'up' });
  }
  t.match(await third.health('a'), { verdict: 'up' }, 'it cannot know');
  for (const link of links) link.mend();
  await until('its return', async () => (await third.status()).sight === 'clear');
  await until('the truth', async () => (await third.health('a')).verdict === 'down');
  await until('the boxes', async () => (await third.health('b')).verdict === 'up');
  t.equal(await third.readyStatus(), 200);
});

t.test('two nodes that cannot see one another answer from what each sees', async (t) => {
  const { nodes } = await startWorld(t, 2);
  const [first, second] = nodes;
  if (first === undefined || second === undefined) throw new Error('no nodes');
  for (const { peerWays } of nodes) for (const way of peerWays.values()) way.silence();
  for (const node of nodes) {
    await until(`${node.id} to be alone`, async () => (await node.status()).sight === 'alone');
    t.equal(await node.readyStatus(), 200);
  }
  first.boxWays.get('a')?.silence();
  await until('a to be down at the first', async () => (await first.health('a')).verdict === 'down');
  t.match(await second.health('a'), { verdict: 'up' }, 'nobody tells it otherwise');
  second.boxWays.get('c')?.silence();
  await until('c to be down at the second', async () => (await second.health('c')).verdict === 'down');
  t.match(await first.health('c'), { verdict: 'up' });
  for (const { peerWays } of nodes) for (const way of peerWays.values()) way.mend();
  await until('both to agree', async () => (await first.health('a')).verdict === 'up');
  t.match((await first.health('a')).votes, [
    { node: 'steering-1', v4: 'down' },
    { node: 'steering-2', v4: 'up' },
  ]);
});

t.test('a node whose peer is killed goes on alone at once', async (t) => {
  const { nodes, boxes } = await startWorld(t, 2);
  const [first, second] = nodes;
  await second?.process.stop('SIGKILL');
  const startedMs = performance.now();
  await until('the loss', async () => (await first?.status())?.sight === 'alone');
  t.comment(
    `from SIGKILL of the peer until its view counts no longer: ${Math.round(performance.now() - startedMs)} ms`,
  );
  await boxes.get('a')?.kill();
  await until('a to be down', async () => (await first?.health('a'))?.verdict === 'down');
  t.match((await first?.health('a'))?.history?.at(-1), { from: 'up', to: 'down' });
});
