import { once } from 'node:events';
import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import t, { type Test } from 'tap';
import { HealthStreams } from '../../../appliance/uplink/health-streams.ts';
import type { BoxReport } from '../../../common/contract/health.ts';
import { createSystemChance } from '../../../common/runtime/chance.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import { createHttpServer } from '../../../common/runtime/http-server.ts';
import { generateKey, type SigningKey } from '../../../common/runtime/keys.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import { createMetrics } from '../../../common/runtime/metrics.ts';
import { createProofVerifier, signNodeProof } from '../../../common/runtime/node-proofs.ts';
import { createBoxStreams } from '../../../steering/monitor/box-streams.ts';
import { until } from '../../support/steering-process.ts';

const clock = createSystemClock();
const chance = createSystemChance();
const log = createSilentLog();
const node = 'steering-1';
const path = `/v1/health-stream/${node}`;

const report = (more: Partial<BoxReport> = {}): BoxReport => ({
  sentAtMs: 1,
  state: 'ready',
  headroom: 1,
  level: 'normal',
  liveRequests: 0,
  liveSessions: 0,
  connections: 0,
  failures: 0,
  disks: { serving: 1, all: 1 },
  reasons: [],
  ...more,
});

/** A steering node's server with the streams of boxes a and b, both of which it knows. */
async function world(t: Test, silentMs = 60_000) {
  const keys: Record<string, SigningKey> = { a: generateKey(), b: generateKey() };
  const doubts: string[] = [];
  const urgencies: string[] = [];
  const streams = createBoxStreams({
    ...{ node, clock, log, silentMs },
    onChange: (urgency) => void urgencies.push(urgency),
    onDoubt: (id) => void doubts.push(id),
  });
  const server = await createHttpServer({
    ...{ name: node, version: '1', log, metrics: createMetrics({ name: node, version: '1' }) },
    credentials: {
      node: createProofVerifier({
        ...{ audience: 'steering', clock },
        findNode: (kid) => {
          const [nodeId, key] = Object.entries(keys).find(([, each]) => each.kid === kid) ?? [];
          return nodeId === undefined || key === undefined
            ? undefined
            : { nodeId, role: 'appliance', publicKey: key.publicKey, revoked: false };
        },
      }),
    },
  });
  streams.addTo(server.app);
  const url = await server.listen({ host: '127.0.0.1', port: 0 });
  const end = new AbortController();
  const done = streams.run(end.signal);
  t.teardown(async () => {
    end.abort();
    await done;
    await server.stop();
  });
  const proofOf = (key: SigningKey | undefined, at = path) =>
    signNodeProof(
      { nodeId: 'a', audience: 'steering', method: 'POST', path: at },
      { key: key ?? generateKey(), clock, chance },
    );
  const open = async (
    proof: string,
    at = path,
  ): Promise<{ request: ClientRequest; answer: IncomingMessage }> => {
    const headers = { authorization: `Bearer ${proof}`, 'content-type': 'application/x-ndjson' };
    const request = httpRequest(`${url}${at}`, { method: 'POST', headers, agent: false });
    request.on('error', () => undefined);
    request.write(`${JSON.stringify(report())}\n`);
    const [answer] = (await once(request, 'response')) as [IncomingMessage];
    answer.on('error', () => undefined);
    t.teardown(() => request.destroy());
    return { request, answer };
  };
  const openA = async () => open(await proofOf(keys['a']));
  return { streams, url, keys, doubts, urgencies, proofOf, open, openA };
}

t.test(
  'a box’s own stream: what it says is known at once, its end is doubted at once, and it comes back',
  async (t) => {
    const { streams, url, keys, doubts, urgencies } = await world(t);
    let current = report();
    const box = new HealthStreams({
      ...{ clock, chance, log },
      authorize: async (method, at) =>
        `Bearer ${await signNodeProof(
          { nodeId: 'a', audience: 'steering', method, path: at },
          { key: keys['a'] ?? generateKey(), clock, chance },
        )}`,
      report: () => current,
    });
    await box.component.start?.({ signal: new AbortController().signal, crash: () => undefined });
    t.teardown(() => box.component.stop?.());
    box.setNodes([{ id: node, url }, { id: 'bad', url: 'http://[' }, { id: 'gone', url: 'http://127.0.0.1:9' }]); // prettier-ignore
    await until('the first report', async () => streams.report('a') !== undefined);
    t.strictSame([streams.state('a'), streams.state('b'), doubts], ['live', 'none', []]);
    urgencies.length = 0;
    current = report({ state: 'draining', headroom: 0.5, liveSessions: 7 });
    box.hurry();
    await until('the drain', async () => streams.report('a')?.state === 'draining');
    t.match(streams.report('a'), { headroom: 0.5, liveSessions: 7 });
    t.ok(urgencies.includes('urgent'), 'a drain decides who may be sent there');
    urgencies.length = 0;
    current = { ...current, headroom: 0.4 };
    await until('the headroom', async () => streams.report('a')?.headroom === 0.4);
    t.notOk(urgencies.includes('urgent'));
    streams.keepOnly(new Set(['b']));
    await until('the end', async () => doubts.includes('a'));
    await until('its return', async () => streams.state('a') === 'live');
    box.setNodes([]);
    await until('its end', async () => streams.state('a') === 'none');
    t.equal(doubts.length, 2);
  },
);

t.test('silence is doubted, once, and given up after a while; a word ends it', async (t) => {
  const { streams, doubts, openA } = await world(t, 600);
  const { request, answer } = await openA();
  const ended = endOf(answer);
  await until('the silence', async () => streams.state('a') === 'silent');
  t.strictSame([doubts, streams.report('a')], [['a'], undefined]);
  request.write(`${JSON.stringify(report())}\n`);
  await until('the word', async () => streams.state('a') === 'live');
  await until('the silence', async () => streams.state('a') === 'silent');
  await ended;
  t.equal(streams.state('a'), 'none');
});

/** Resolves when it is over, cut or not. */
function endOf(answer: IncomingMessage): Promise<void> {
  return new Promise((resolve) => answer.resume().once('close', resolve));
}

t.test('the box hears that steering lives', async (t) => {
  const { openA } = await world(t);
  const { answer } = await openA();
  t.equal(answer.statusCode, 200);
  const [tick] = (await once(answer, 'data')) as [Buffer];
  t.equal(tick.toString(), '\n');
});

t.test('a second stream of a box takes the place of the first: nobody is doubted for that', async (t) => {
  const { streams, doubts, openA } = await world(t);
  const first = await openA();
  const ended = endOf(first.answer);
  await openA();
  await ended;
  t.strictSame([streams.state('a'), doubts], ['live', []]);
});

t.test('garbage, lines without end, floods and huge reports end the stream', async (t) => {
  const { streams, doubts, openA } = await world(t);
  const bad: Record<string, string> = {
    garbage: 'hello\n',
    'wrong types': '{"state":"ready"}\n',
    'a headroom of 2': `${JSON.stringify(report({ headroom: 2 }))}\n`,
    'a line without end': 'x'.repeat(100_000),
    'a huge report': `${JSON.stringify(report({ reasons: ['x'.repeat(20_000)] }))}\n`,
    'too many reasons': `${JSON.stringify(report({ reasons: Array.from({ length: 17 }, () => 'x') }))}\n`,
    'a flood': `${JSON.stringify(report())}\n`.repeat(1000),
    nothing: '\n',
    'no text': '\u0000\ufffd\n',
  };
  for (const [what, text] of Object.entries(bad)) {
    const { request, answer } = await openA();
    const ended = endOf(answer);
    doubts.length = 0;
    request.write(text);
    await ended;
    t.strictSame([streams.state('a'), doubts], ['none', ['a']], what);
  }
});

t.test('only a box that the map names gets in, and only by a proof for this node', async (t) => {
  const { keys, open, proofOf, streams } = await world(t);
  const statusOf = async (proof: string, at = path): Promise<number | undefined> =>
    (await open(proof, at)).answer.statusCode;
  t.equal(await statusOf(await proofOf(undefined)), 401, 'a key that nobody knows');
  t.equal(await statusOf(await proofOf(keys['b'])), 401, 'another box’s key under this name');
  t.equal(
    await statusOf(await proofOf(keys['a'], '/v1/health-stream/steering-2')),
    401,
    'made for another node',
  );
  const elsewhere = '/v1/health-stream/steering-2';
  t.equal(await statusOf(await proofOf(keys['a'], elsewhere), elsewhere), 403, 'asked of the wrong one');
  const proof = await proofOf(keys['a']);
  t.equal(await statusOf(proof), 200);
  t.equal(await statusOf(proof), 401, 'used before');
  t.equal(streams.state('a'), 'live');
});
