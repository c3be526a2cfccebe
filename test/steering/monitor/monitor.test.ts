import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import t from 'tap';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import { createManualClock } from '../../../common/runtime/manual-clock.ts';
import type { Observation, Verdict } from '../../../steering/core/health.ts';
import { createHttpProbe } from '../../../steering/monitor/http-probe.ts';
import { createMonitor, type MonitorOptions } from '../../../steering/monitor/monitor.ts';

const good: Observation = { kind: 'ok', draining: false, probeMs: 1 };
const bad: Observation = { kind: 'failed', reason: 'made to fail' };

function start(more: Partial<MonitorOptions> & Pick<MonitorOptions, 'probe'>) {
  const clock = createManualClock();
  const changes: string[] = [];
  const monitor = createMonitor({
    clock,
    policy: { downAfter: 2, upAfter: 2 },
    intervalMs: 1_000,
    recheckMs: 200,
    probesMax: 64,
    holdWindowMs: 5_000,
    onChange: ({ id, after }) => changes.push(`${id} ${after.verdict}: ${after.reason}`),
    ...more,
  });
  const verdicts = (): Verdict[] => [...monitor.health().values()].map((state) => state.verdict);
  return { clock, monitor, changes, verdicts };
}

t.test('a box that dies is out within two seconds, and back after two good answers', async (t) => {
  let isAlive = true;
  const { clock, monitor, changes, verdicts } = start({
    probe: async ({ id }) => (id === 'b' || isAlive ? good : bad),
  });
  t.teardown(() => monitor.stop());
  monitor.watch([{ id: 'a', url: 'http://a' }, { id: 'b', url: 'http://b' }]); // prettier-ignore
  t.strictSame(verdicts(), ['unknown', 'unknown']);
  await clock.advance(1);
  t.strictSame(verdicts(), ['up', 'up']);
  isAlive = false;
  await clock.advance(2_000);
  t.strictSame(verdicts(), ['down', 'up']);
  isAlive = true;
  await clock.advance(1_000);
  await clock.advance(1_000);
  t.strictSame(verdicts(), ['up', 'up']);
  t.match(
    changes,
    ['a up: ', 'b up: ', 'a down: made to fail', 'a up: it answered 2'].map((text) => new RegExp(text)),
  );
});

t.test('when all look dead the last good state stays, until one answers', async (t) => {
  const dead = new Set<string>();
  const { clock, monitor, verdicts } = start({ probe: async ({ id }) => (dead.has(id) ? bad : good) });
  t.teardown(() => monitor.stop());
  monitor.watch(['a', 'b', 'c'].map((id) => ({ id, url: `http://${id}` })));
  dead.add('a');
  await clock.advance(20_000);
  t.strictSame(verdicts(), ['down', 'up', 'up']);
  dead.add('b').add('c');
  await clock.advance(5_000);
  t.strictSame(
    [verdicts(), monitor.holding()],
    [['down', 'up', 'up'], true],
    'what was dead before stays so',
  );
  dead.delete('c');
  await clock.advance(5_000);
  t.strictSame([verdicts(), monitor.holding()], [['down', 'down', 'up'], false]);
});

t.test('never more probes at once than allowed; what is not watched any more is forgotten', async (t) => {
  let running = 0;
  let most = 0;
  const { clock, monitor } = start({
    probesMax: 3,
    probe: async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      return good;
    },
  });
  monitor.watch(Array.from({ length: 20 }, (_, at) => ({ id: `n${at}`, url: 'http://x' })));
  for (let turn = 0; turn < 20; turn++) await clock.advance(1_000);
  t.equal(most, 3);
  t.ok([...monitor.health().values()].every((state) => state.verdict === 'up'));
  monitor.watch([{ id: 'n1', url: 'http://x' }, { id: 'n2', url: 'http://moved' }]); // prettier-ignore
  t.strictSame(
    [...monitor.health()].map(([id, state]) => `${id} ${state.verdict}`),
    ['n1 up', 'n2 unknown'],
  );
  await monitor.stop();
  t.equal(monitor.health().size, 0);
});

async function box(answer: (server: Server) => { status?: number; body: string } | undefined) {
  const server = createServer((_request, response) => {
    const reply = answer(server);
    if (reply === undefined) return;
    response.writeHead(reply.status ?? 200).end(reply.body);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const view = (name: string, status = 'ok'): string => JSON.stringify({ status, name, version: '1' });

t.test('the probe wants a health view of the right node, in time', async (t) => {
  const http = createHttpProbe({ clock: createSystemClock(), timeoutMs: 300 });
  t.teardown(() => http.close());
  const ask = async (reply: { status?: number; body: string } | undefined): Promise<Observation> => {
    const { server, url } = await box(() => reply);
    const observation = await http.probe({ id: 'isp-a-1', url }, new AbortController().signal);
    server.closeAllConnections();
    server.close();
    return observation;
  };
  t.match(await ask({ body: view('isp-a-1') }), { kind: 'ok', draining: false });
  t.match(await ask({ body: view('isp-a-1', 'draining') }), { kind: 'ok', draining: true });
  t.match(await ask({ body: view('other') }), { kind: 'failed', reason: /is other, not isp-a-1/ });
  t.match(await ask({ body: 'hello' }), { kind: 'failed', reason: /not readable/ });
  t.match(await ask({ body: '{}' }), { kind: 'failed', reason: /not readable/ });
  t.match(await ask({ status: 503, body: view('isp-a-1') }), { kind: 'failed', reason: /503/ });
  t.match(await ask({ body: 'x'.repeat(100_000) }), { kind: 'failed' }, 'a body without end');
  t.match(await ask(undefined), { kind: 'failed', reason: /no answer within 300 ms/ });
  const { server, url } = await box(() => undefined);
  server.close();
  await once(server, 'close');
  const refused = await http.probe({ id: 'isp-a-1', url }, new AbortController().signal);
  t.match(refused, { kind: 'failed', reason: /ECONNREFUSED/ });
});
