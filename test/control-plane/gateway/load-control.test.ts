import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { request } from 'undici';

import { createManualClock, type ManualClock } from '../../../common/runtime/manual-clock.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import { createHttpServer } from '../../../common/runtime/http-server.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import { createMetrics } from '../../../common/runtime/metrics.ts';
import { controlLoad } from '../../../control-plane/gateway/load-control.ts';
import { until as untilSo } from '../support/until.ts';

const until = (holds: () => boolean): Promise<boolean> => untilSo(holds, (does) => does);

interface Lab {
  url: string;
  clock: ManualClock;
  /** Ends the oldest answer under way. */
  answerOne(): void;
  underWay(): number;
  metrics(): Promise<string>;
}

t.test('what is to be answered has a time to be answered in, what waits for something has not', async (t) => {
  const metrics = createMetrics({ name: 'gateway', version: '1' });
  const { app, stop } = await createHttpServer({
    ...{ name: 'gateway', version: '1', log: createSilentLog(), metrics, credentials: {} },
  });
  t.teardown(stop);
  controlLoad(app, { clock: createManualClock(), metrics, limits: { requestsMin: 2, requestsMax: 4 } });
  const times = new Map<string, number | undefined>();
  app.addHook('onRoute', ({ url, handlerTimeout }) => {
    times.set(url, handlerTimeout);
  });
  const config = { credential: ['none'] } as const;
  app.get('/answers', { config }, () => 'x');
  app.get('/waits', { config: { ...config, load: { priority: 'browse', holds: 'start' } } }, () => 'x');
  t.strictSame(
    [...times],
    [
      ['/answers', 30_000],
      ['/waits', undefined],
    ],
  );
});

/** A server with two places, whose routes answer when they are told to. */
async function startLab(t: Test): Promise<Lab> {
  const clock = createManualClock();
  const metrics = createMetrics({ name: 'gateway', version: '1' });
  const server = await createHttpServer({
    ...{ name: 'gateway', version: '1', log: createSilentLog(), metrics },
    credentials: { delivery: () => ({ scope: 'play', session: 's', issuedAtS: 0, expiresAtS: 1 }) },
  });
  controlLoad(server.app, { clock, metrics, limits: { requestsMin: 2, requestsMax: 4 } });
  const answers: (() => void)[] = [];
  slowRoutes(server.app, answers);
  const url = await server.listen({ host: '127.0.0.1', port: 0 });
  t.teardown(async () => {
    for (const answer of answers) answer();
    await server.stop();
  });
  return {
    url,
    clock,
    answerOne: () => answers.shift()?.(),
    underWay: () => answers.length,
    metrics: async () => (await request(`${url}/metrics`)).body.text(),
  };
}

function slowRoutes(app: App, answers: (() => void)[]): void {
  const config = { credential: ['none'] } as const;
  const answer = (): Promise<string> =>
    new Promise((resolve) => {
      answers.push(() => {
        resolve('answered');
      });
    });
  app.get('/browse', { config }, answer);
  app.post('/browse', { config }, answer);
  app.get('/v1/playback/x', { config: { credential: ['delivery:play'] } }, answer);
  app.get('/v1/revocations', { config }, answer);
  app.get('/fails', { config }, () => {
    throw new Error('at once');
  });
}

const statusOf = async (asked: Promise<Awaited<ReturnType<typeof request>>>): Promise<number> => {
  const { statusCode, body } = await asked;
  await body.dump();
  return statusCode;
};

t.test('more than there is room for wait, and are refused when it takes too long', async (t) => {
  const lab = await startLab(t);
  const asked = Array.from({ length: 3 }, () => request(`${lab.url}/browse`));
  await until(() => lab.underWay() === 2 && lab.clock.sleeping() === 1);
  lab.answerOne();
  await until(() => lab.underWay() === 2); // the one that waited has the place
  const late = request(`${lab.url}/browse`);
  const playing = request(`${lab.url}/v1/playback/x`, { headers: { authorization: 'Bearer token' } });
  await until(() => lab.underWay() === 3); // playback has a share of its own
  t.match(await lab.metrics(), /nearcast_gateway_inside_requests\{priority="playback"\} 1/);
  await lab.clock.advance(700);
  const { statusCode, headers, body } = await late;
  t.match({ statusCode, headers }, { statusCode: 429, headers: { 'retry-after': '2' } });
  t.match(await body.json(), { code: 'OVERLOADED', status: 429 });
  for (let left = 3; left > 0; left--) lab.answerOne();
  t.strictSame(await Promise.all([...asked, playing].map(statusOf)), [200, 200, 200, 200]);
  const metrics = await lab.metrics();
  t.match(metrics, /nearcast_gateway_shed_total\{priority="browse"\} 1/);
  t.match(metrics, /nearcast_gateway_inside_requests\{priority="browse"\} 0/);
  t.match(metrics, /nearcast_gateway_limit_requests 2/);
});

t.test('long polls, failures and callers who went away keep no place', async (t) => {
  const lab = await startLab(t);
  const polls = Array.from({ length: 3 }, () => request(`${lab.url}/v1/revocations`));
  await until(() => lab.underWay() === 3); // polls wait without a place
  for (let at = 0; at < 5; at++) t.equal(await statusOf(request(`${lab.url}/fails`)), 500);
  for (let at = 0; at < 5; at++) t.equal(await statusOf(request(`${lab.url}/nowhere`)), 404);
  const leaving = new AbortController();
  const left = [0, 1, 2].map(() => request(`${lab.url}/browse`, { signal: leaving.signal }));
  await until(() => lab.underWay() === 5 && lab.clock.sleeping() === 1);
  leaving.abort();
  await Promise.all(left.map((one) => t.rejects(one)));
  const asked = request(`${lab.url}/browse`);
  await until(() => lab.underWay() >= 6); // their places are free
  while (lab.underWay() > 0) lab.answerOne();
  t.equal(await statusOf(asked), 200);
  t.strictSame(await Promise.all(polls.map(statusOf)), [200, 200, 200]);
});

t.test('bodies that come slowly take no place', async (t) => {
  const lab = await startLab(t);
  const head =
    'POST /browse HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n';
  const slow = Array.from({ length: 4 }, () => openSocket(t, lab.url));
  for (const socket of slow) socket.write(`${head}{`);
  t.equal(await statusOf(request(`${lab.url}/nowhere`)), 404);
  const [first] = slow;
  first?.write('}');
  await until(() => lab.underWay() === 1);
  lab.answerOne();
  const [answer] = (await once(first ?? slow[1]!, 'data')) as [Buffer];
  t.match(answer.toString(), /^HTTP\/1\.1 200 /);
});

function openSocket(t: Test, url: string): Socket {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  t.teardown(() => socket.destroy());
  return socket.on('error', () => undefined);
}
