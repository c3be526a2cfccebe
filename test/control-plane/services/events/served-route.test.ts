import t from 'tap';
import { NodeView } from '../../../../common/contract/nodes.ts';
import { signServedReport } from '../../../support/served-report.ts';
import { enrolNode, eventually, startPlane } from '../../support/control-plane.ts';
import { fileNamed } from '../../support/sample-bundle.ts';

t.test('a box reports what it serves, for itself alone, and operators see what it saved', async (t) => {
  const plane = await startPlane(t);
  const [a, b] = [await enrolNode(plane, 'isp-a-1'), await enrolNode(plane, 'isp-b-1')];
  const film = fileNamed('film.mp4');
  t.match(await a.serve({ [film]: 1000 }, { filledBytes: 100 }), {
    status: 200,
    json: { outcome: 'taken', sequence: 1 },
  });
  t.match(await a.serve({ [film]: 1000 }, { sequence: 1 }), {
    status: 200,
    json: { outcome: 'known', sequence: 1 },
  });
  t.match(await a.serve({ [film]: 500 }, { sequence: 3 }), { json: { outcome: 'taken', sequence: 3 } });

  const report = { sequence: 4, played: { [film]: 9000 }, nowMs: plane.clock.nowMs() };
  const jws = await signServedReport(b.key, report);
  const route = `POST /v1/nodes/${a.id}/served-reports` as const;
  t.match(await a.call(route, { body: { jws } }), { json: { code: 'KEY_UNKNOWN' } }, "another box's key");
  t.match(await b.call(route, { body: { jws } }), { status: 403 }, 'another box for it');
  t.match(await plane.call(route, { body: { jws } }), { status: 403 }, 'nor an operator');
  t.match(await a.call(route, { body: { jws: `${jws}x` } }), { json: { code: 'KEY_UNKNOWN' } });
  t.match(await a.call(route, { body: {} }), { status: 400 });

  const view = async () => (await plane.call(`GET /v1/nodes/${a.id}`)).as(NodeView);
  t.match(await eventually(view, ({ served }) => served?.playBytes === 1500), {
    served: { playBytes: 1500, fillBytes: 0, filledBytes: 100, missingReports: 1 },
  });
  t.equal((await plane.call(`GET /v1/nodes/${b.id}`)).as(NodeView).served, undefined);

  await plane.call(`DELETE /v1/nodes/${a.id}`);
  t.notMatch(await a.serve({ [film]: 1 }), { status: 200 }, 'one that was revoked says nothing any more');
});
