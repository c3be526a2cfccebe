import t from 'tap';
import { documentTypes, SteeringMap } from '../../../../common/contract/documents.ts';
import { MaintenanceList, MaintenanceWindow } from '../../../../common/contract/maintenance.ts';
import { createManualClock } from '../../../../common/runtime/manual-clock.ts';
import {
  enrolNode,
  eventually,
  openSigned,
  startPlane,
  temporaryDir,
  type TestNode,
  type TestPlane,
} from '../../support/control-plane.ts';

const minuteMs = 60_000;

async function mapOf(plane: TestPlane, steering: TestNode): Promise<SteeringMap> {
  const { text } = await steering.call('GET /v1/steering-map');
  const wanted = { typ: documentTypes.steeringMap, schema: SteeringMap, audience: 'steering' } as const;
  return (await openSigned(plane, text, wanted)).body;
}

t.test('planned maintenance drains before it begins, is in the map, and ends by itself', async (t) => {
  const clock = createManualClock();
  const plane = await startPlane(t, { clock });
  const nodes = [
    await enrolNode(plane, 'isp-a-1', { site: 'isp-a' }),
    await enrolNode(plane, 'isp-b-1', { site: 'isp-b' }),
  ] as const;
  const steering = await enrolNode(plane, 'steer-1', { role: 'steering' });
  const beat = async () => (await Promise.all(nodes.map((node) => node.beat()))).map(({ json }) => json);
  await beat();
  const startMs = clock.nowMs() + 30 * minuteMs;
  const body = {
    site: 'isp-a',
    startMs,
    endMs: startMs + 60 * minuteMs,
    drainMs: 10 * minuteMs,
    reason: 'new fans',
  };
  const made = await plane.call('POST /v1/maintenance', { body });
  t.equal(made.status, 201);
  const window = made.as(MaintenanceWindow);
  t.match(window, body);
  await clock.advance(1000);
  t.match((await mapOf(plane, steering)).maintenance, [window], 'steering knows before it begins');
  t.match(await beat(), [{ drainWanted: false }, { drainWanted: false }]);

  await clock.advance(20 * minuteMs - 4000);
  await beat();
  // With the lease running, so that it is not lost when the drain begins.
  await clock.advance(3000);
  await eventually(
    async () => (await plane.call('GET /v1/nodes/isp-a-1')).json as { state: string },
    ({ state }) => state === 'draining',
  );
  t.match((await plane.call('GET /v1/nodes/isp-a-1')).json, {
    drainWanted: false,
    stateReason: /planned maintenance.*new fans/,
  });
  t.match(await beat(), [{ drainWanted: true }, { drainWanted: false }]);
  await clock.advance(1000);
  t.match((await mapOf(plane, steering)).appliances, [{ state: 'draining' }, { state: 'ready' }]);

  await clock.advance(80 * minuteMs);
  t.match(await beat(), [{ drainWanted: false }, { drainWanted: false }]);
  t.match((await plane.call('GET /v1/nodes/isp-a-1')).json, { state: 'ready' });
  await clock.advance(1000);
  t.strictSame((await mapOf(plane, steering)).maintenance, []);
  t.match(
    (await plane.call('GET /v1/maintenance')).as(MaintenanceList).windows,
    [window],
    'it stays in the list',
  );
});

t.test('it outlives a restart, and can be taken back', async (t) => {
  const dataDir = await temporaryDir(t);
  const first = await startPlane(t, { dataDir });
  const node = await enrolNode(first, 'isp-a-1');
  const body = {
    appliance: 'isp-a-1',
    startMs: Date.now() - 1000,
    endMs: Date.now() + 3_600_000,
    reason: 'now',
  };
  const { id } = (await first.call('POST /v1/maintenance', { body })).as(MaintenanceWindow);
  t.match((await node.beat()).json, { drainWanted: true });
  await first.stop();
  const plane = await startPlane(t, { dataDir });
  t.match((await plane.call('GET /v1/maintenance')).as(MaintenanceList).windows, [{ id, drainMs: 900_000 }]);
  t.equal((await plane.call(`DELETE /v1/maintenance/${id}`)).status, 204);
  t.match((await plane.call(`DELETE /v1/maintenance/${id}`)).json, { code: 'MAINTENANCE_UNKNOWN' });
  t.strictSame((await plane.call('GET /v1/maintenance')).json, { windows: [] });
});

t.test('what cannot be meant is refused', async (t) => {
  const plane = await startPlane(t);
  await enrolNode(plane, 'isp-a-1', { site: 'isp-a' });
  await enrolNode(plane, 'steer-1', { role: 'steering' });
  const startMs = Date.now() + 3_600_000;
  const good = { appliance: 'isp-a-1', startMs, endMs: startMs + 1000, reason: 'x' };
  const bad: [object, string, RegExp][] = [
    [{ ...good, site: 'isp-a' }, 'INVALID', /one of the two/],
    [{ startMs, endMs: startMs + 1000, reason: 'x' }, 'INVALID', /one of the two/],
    [{ ...good, endMs: startMs }, 'INVALID', /ends before/],
    [{ ...good, startMs: 1, endMs: 2 }, 'INVALID', /over already/],
    [{ ...good, endMs: startMs + 91 * 86_400_000 }, 'INVALID', /90 days/],
    [{ ...good, timeZone: 'Mars/Olympus' }, 'INVALID', /no time zone/],
    [{ ...good, appliance: 'steer-1' }, 'NODE_UNKNOWN', /steer-1/],
    [{ ...good, appliance: 'nobody' }, 'NODE_UNKNOWN', /nobody/],
    [{ startMs, endMs: startMs + 1000, reason: 'x', site: 'nowhere' }, 'INVALID', /nowhere/],
    [{ ...good, reason: '' }, 'INVALID', /./],
    [{ ...good, drainMs: -1 }, 'INVALID', /./],
    [{ ...good, more: 1 }, 'INVALID', /./],
  ];
  for (const [body, code, why] of bad) {
    const answer = await plane.call('POST /v1/maintenance', { body });
    t.match(answer.json, { code }, answer.text);
    t.match(answer.text, why);
  }
  t.equal((await plane.call('POST /v1/maintenance', { body: good, token: '' })).status, 401);
});
