import t from 'tap';
import { documentTypes, SteeringMap } from '../../../../common/contract/documents.ts';
import { createManualClock } from '../../../../common/runtime/manual-clock.ts';
import { createChallenges } from '../../../../control-plane/services/challenges/service.ts';
import { enrolNode, eventually, openSigned, startPlane } from '../../support/control-plane.ts';

const value = (letter: string): string => letter.repeat(43);
const wanted = { typ: documentTypes.steeringMap, schema: SteeringMap, audience: 'steering' } as const;

t.test('what a box asks to be published under its own name is in the steering map', async (t) => {
  const plane = await startPlane(t);
  const box = await enrolNode(plane, 'isp-a-1');
  const other = await enrolNode(plane, 'isp-a-2');
  const steering = await enrolNode(plane, 'steer-1', { role: 'steering' });
  await box.beat();
  await other.beat();
  const publish = (node: typeof box, id: string, values: readonly string[]) =>
    node.call(`PUT /v1/nodes/${id}/challenge`, { body: { values } });
  const mapHas = (challenges: unknown) =>
    eventually(
      async () => (await openSigned(plane, (await steering.call('GET /v1/steering-map')).text, wanted)).body,
      (body) => JSON.stringify(body.challenges) === JSON.stringify(challenges),
    );
  t.match(await publish(box, 'isp-a-1', []), { status: 200, json: { steering: 0, behind: 0 } });
  const shown = publish(box, 'isp-a-1', [value('x'), value('y')]);
  await mapHas([{ node: 'isp-a-1', values: [value('x'), value('y')] }]);
  const { headers } = await steering.call('GET /v1/steering-map');
  await steering.call(`GET /v1/steering-map?after=${String(headers['x-sequence'])}`);
  t.match(await shown, { status: 200, json: { steering: 1, behind: 0 } }, 'answered once steering holds it');
  t.match(await publish(box, 'isp-a-2', [value('z')]), { status: 403 }, 'not under the name of another');
  t.match(await publish(steering, 'steer-1', [value('z')]), { status: 403 }, 'boxes only');
  t.match(await publish(box, 'isp-a-1', ['v=spf1 -all']), { status: 400 }, 'nothing but a challenge');
  t.match(await publish(box, 'isp-a-1', Array<string>(5).fill(value('z'))), { status: 400 });
  const silent = await enrolNode(plane, 'isp-a-3');
  t.match(await publish(silent, 'isp-a-3', []), { status: 503, json: { code: 'UNAVAILABLE' } });
});

t.test('a challenge is forgotten after an hour', async (t) => {
  const clock = createManualClock();
  const challenges = createChallenges({ clock, onChange: () => undefined });
  challenges.publish('b', ['1', '1', '2']);
  await clock.advance(1_800_000);
  challenges.publish('a', ['3']);
  t.strictSame(challenges.published(), [
    { node: 'a', values: ['3'] },
    { node: 'b', values: ['1', '2'] },
  ]);
  await clock.advance(1_800_000);
  t.strictSame(challenges.published(), [{ node: 'a', values: ['3'] }]);
});
