import t from 'tap';

import { loadOf } from '../../../../control-plane/gateway/core/route-priority.ts';

t.test('what viewers and boxes depend on comes before what can wait', (t) => {
  const cases = [
    ['POST /v1/playback-sessions', ['viewer', 'operator'], 'playback', 'answer'],
    ['GET /v1/playback/:token/master.m3u8', ['delivery:play'], 'playback', 'answer'],
    ['PUT /v1/nodes/:id/heartbeat', ['node:appliance'], 'playback', 'answer'],
    ['GET /v1/steering-map', ['node:steering'], 'playback', 'start'],
    ['GET /v1/revocations', ['node'], 'playback', 'start'],
    ['POST /v1/revocations', ['operator'], 'playback', 'answer'],
    ['POST /v1/enrol', ['none'], 'sign-in', 'answer'],
    ['POST /v1/enrolment-codes', ['operator'], 'sign-in', 'answer'],
    ['GET /v1/nodes', ['operator', 'admin'], 'sign-in', 'answer'],
    ['GET /v1/titles', ['operator', 'admin', 'viewer'], 'browse', 'answer'],
    ['GET /console/', ['none'], 'browse', 'answer'],
    ['GET undefined', [], 'browse', 'answer'],
    ['GET /v1/nodes/:id/fill-manifest', ['node:appliance'], 'background', 'start'],
    ['POST /v1/nodes/:id/fill-reports', ['node:appliance'], 'background', 'answer'],
    ['PATCH /v1/uploads/:id', ['operator', 'admin'], 'background', 'start'],
    ['POST /v1/encode-jobs/lease', ['node:encoder'], 'background', 'start'],
    ['POST /v1/events', ['viewer', 'delivery:play'], 'background', 'answer'],
  ] as const;
  for (const [route, credential, priority, holds] of cases) {
    const [method = '', url = ''] = route.split(' ');
    const kind = { method, url: url === 'undefined' ? undefined : url, credential };
    t.strictSame(loadOf(kind), { priority, holds }, route);
  }
  t.end();
});
