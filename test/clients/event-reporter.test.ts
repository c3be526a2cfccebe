import { createServer, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

import t, { type Test } from 'tap';
import { Value } from 'typebox/value';

import { EventBatch } from '../../common/contract/playback.ts';
import { createEventReporter } from '../../clients/viewer/event-reporter.ts';

const neverMs = 1_000_000;

/** A control plane's event intake that answers as told. */
async function startIntake(t: Test, answer: (response: ServerResponse, call: number) => void) {
  const batches: EventBatch[] = [];
  const authorizations = new Set<string>();
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      batches.push(JSON.parse(Buffer.concat(parts).toString()) as EventBatch);
      authorizations.add(request.headers.authorization ?? '');
      answer(response, batches.length);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/events`;
  return {
    url,
    batches,
    authorizations,
    ids: () => batches.flatMap(({ events }) => events.map(({ id }) => id)),
  };
}

const end =
  (status: number) =>
  (response: ServerResponse): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
  };

t.test('events arrive in order, valid, each once, in batches', async (t) => {
  const intake = await startIntake(t, end(200));
  const reporter = createEventReporter({ url: intake.url, token: 'secret', flushMs: neverMs });
  for (let i = 0; i < 120; i++) reporter.report({ type: 'progress', positionMs: i });
  await Promise.all([reporter.flush(), reporter.flush()]);
  await reporter.stop();
  t.same(
    intake.batches.flatMap(({ events }) => events.map((event) => 'positionMs' in event && event.positionMs)),
    Array.from({ length: 120 }, (_, i) => i),
  );
  t.equal(new Set(intake.ids()).size, 120);
  t.ok(intake.batches.every((batch) => Value.Check(EventBatch, batch)));
  t.same([...intake.authorizations], ['Bearer secret']);
});

t.test('what failed is sent again under the same id; it is said that reports wait', async (t) => {
  const intake = await startIntake(t, (response, call) => {
    if (call === 1) end(503)(response);
    else if (call === 2) response.destroy();
    else end(200)(response);
  });
  const heard: boolean[] = [];
  const reporter = createEventReporter({
    ...{ url: intake.url, token: 'x', flushMs: neverMs },
    onDelivery: (isDelivered) => heard.push(isDelivered),
  });
  reporter.report({ type: 'play', positionMs: 0 });
  await reporter.flush();
  await reporter.flush();
  await reporter.flush();
  await reporter.stop();
  const ids = intake.ids();
  t.equal(ids.length, 3);
  t.equal(new Set(ids).size, 1);
  t.same(heard, [false, true]);
});

t.test('a batch that is refused for good does not block those after it', async (t) => {
  const intake = await startIntake(t, (response, call) => end(call === 1 ? 400 : 200)(response));
  const reporter = createEventReporter({ url: intake.url, token: 'x', flushMs: neverMs });
  reporter.report({ type: 'play', positionMs: 0 });
  await reporter.flush();
  reporter.report({ type: 'end', positionMs: 1 });
  await reporter.stop();
  t.same(
    intake.batches.map(({ events }) => events.map(({ type }) => type)),
    [['play'], ['end']],
  );
});

t.test('the queue is bounded: with nobody there the oldest give way', async (t) => {
  let isThere = false;
  const intake = await startIntake(t, (response) => end(isThere ? 200 : 503)(response));
  const reporter = createEventReporter({ url: intake.url, token: 'x', flushMs: neverMs });
  for (let i = 0; i < 2000; i++) reporter.report({ type: 'progress', positionMs: i });
  await reporter.flush();
  isThere = true;
  await reporter.stop();
  const delivered = intake.batches.slice(1).flatMap(({ events }) => events);
  t.equal(delivered.length, 500);
  t.match(delivered[0], { positionMs: 1500 });
});

t.test('it sends by itself, and what comes while it sends goes with the next', async (t) => {
  const intake = await startIntake(t, end(200));
  const reporter = createEventReporter({ url: intake.url, token: 'x', flushMs: 5 });
  t.teardown(() => reporter.stop());
  reporter.report({ type: 'play', positionMs: 0 });
  while (intake.batches.length < 1) await new Promise((done) => setTimeout(done, 5));
  reporter.report({ type: 'end', positionMs: 1 });
  while (intake.ids().length < 2) await new Promise((done) => setTimeout(done, 5));
  t.equal(new Set(intake.ids()).size, 2);
});
