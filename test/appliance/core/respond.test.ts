import { decodeCmsdStatic, encodeCmsdDynamic, encodeCmsdStatic } from '@svta/cml-cmsd';
import t from 'tap';

import { planResponse, timingHeaders, type Representation } from '../../../appliance/core/respond.ts';

const responder = { box: 'isp-a-1.berlin', delayMs: 12.9 };
const film: Representation = {
  path: { file: 'a'.repeat(64), ext: 'mp4' },
  sizeBytes: 1000,
  lastModifiedMs: 0,
  cache: 'hit',
};

void t.test('CMSD is what the encoder of the Common Media Library would write', (test) => {
  test.same(timingHeaders(responder, 'miss'), {
    'cmsd-dynamic': encodeCmsdDynamic('isp-a-1.berlin', { rd: 12 } as never),
    'server-timing': 'cdn-cache;desc=miss, ttfb;dur=12',
  });
  test.equal(timingHeaders({ box: 'b', delayMs: -1 }, 'hit')['cmsd-dynamic'], '"b";rd=0');
  for (const ext of ['mp4', 'm4a', 'm3u8', 'vtt', 'jpg', 'json', 'chunks'] as const) {
    const { headers } = planResponse({ head: false }, { ...film, path: { ...film.path, ext } }, responder);
    const told = headers['cmsd-static'] as string;
    test.equal(encodeCmsdStatic(decodeCmsdStatic(told)), told, ext);
  }
  test.end();
});

void t.test(
  'headers that depend on the request stand last and in one order, the timing after all others',
  (test) => {
    const whole = planResponse({ head: false }, film, responder);
    const part = planResponse({ head: false, range: 'bytes=5-9' }, film, responder);
    const timing = ['cmsd-dynamic', 'server-timing'];
    test.same(Object.keys(whole.headers).slice(-3), ['content-length', ...timing]);
    test.same(Object.keys(part.headers).slice(-4), ['content-range', 'content-length', ...timing]);
    test.same(
      Object.entries(part.headers).slice(0, -4),
      Object.entries(whole.headers).slice(0, -3),
      'what stands before is the same for every range',
    );
    test.match(part.headers['access-control-expose-headers'], /CMSD-Dynamic, CMSD-Static,.*, Server-Timing/);
    test.end();
  },
);

void t.test('an answer without the file tells no timing', (test) => {
  const etag = `"${film.path.file}"`;
  for (const [status, plan] of [
    [304, planResponse({ head: false, ifNoneMatch: etag }, film, responder)],
    [412, planResponse({ head: false, ifMatch: '"other"' }, film, responder)],
    [416, planResponse({ head: false, range: 'bytes=1000-' }, film, responder)],
  ] as const) {
    test.equal(plan.status, status);
    test.notOk(['cmsd-static', 'cmsd-dynamic', 'server-timing'].some((name) => name in plan.headers));
  }
  test.end();
});
