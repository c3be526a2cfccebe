import t from 'tap';

import { AccessTokenReply } from '../../../common/contract/credentials.ts';
import { createManualClock } from '../../../common/runtime/manual-clock.ts';
import { enrolNode, startPlane, type TestPlane } from '../support/control-plane.ts';

const rates = ['--gateway-browse-per-second', '2', '--gateway-burst-seconds', '1.5'];

async function viewer(plane: TestPlane, sub: string): Promise<string> {
  const reply = await plane.call('POST /v1/access-tokens', { body: { role: 'viewer', sub, ttlS: 3600 } });
  return reply.as(AccessTokenReply).token;
}

t.test('each viewer has a bucket for each kind of route; nodes and operators have none', async (t) => {
  const clock = createManualClock({ nowMs: Date.now() });
  const plane = await startPlane(t, { clock, flags: rates });
  const one = await viewer(plane, 'one');
  const browse = (token: string) => plane.call('GET /v1/titles', { token });
  for (const left of [2, 1, 0]) {
    t.match(await browse(one), {
      status: 200,
      headers: {
        'ratelimit-policy': '"browse";q=3;w=2',
        ratelimit: new RegExp(`^"browse";r=${left};t=[12]$`),
      },
    });
  }
  t.match(await browse(one), {
    status: 429,
    json: { code: 'RATE_LIMITED' },
    headers: { 'retry-after': '1', ratelimit: '"browse";r=0;t=2' },
  });
  t.match(await browse(await viewer(plane, 'one')), { status: 429 }, 'by the subject, not by the token');
  t.match(await browse(await viewer(plane, 'two')), { status: 200 }, 'of the same address');
  const body = { titleId: 'nothing' };
  const play = await plane.call('POST /v1/playback-sessions', { token: one, body });
  t.match(play.headers, { 'ratelimit-policy': '"playback";q=75;w=2' });
  const node = await enrolNode(plane, 'isp-a-1');
  for (let at = 0; at < 10; at++) {
    t.match(await browse(plane.operator), { status: 200 });
    t.match(await node.beat(), { status: 200, headers: { 'ratelimit-policy': '"address";q=1000;w=1' } });
  }
  await clock.advance(500);
  t.match(await browse(one), { status: 200 }, 'half a second later there is one more');
  t.match(await browse(one), { status: 429 });
});

t.test('who shows no credential is limited by address', async (t) => {
  const clock = createManualClock({ nowMs: Date.now() });
  const plane = await startPlane(t, { clock, flags: [...rates, '--trusted-proxies', '127.0.0.1'] });
  const from = (address: string) =>
    plane.call('GET /console', { token: '', headers: { 'x-forwarded-for': address } });
  for (let at = 0; at < 3; at++) t.match(await from(`2001:db8:0:1::${at}`), { status: 302 });
  t.match(await from('2001:db8:0:1:ffff::1'), { status: 429 }, 'one /64 is one client');
  t.match(await from('2001:db8:0:2::1'), { status: 302 });
  for (let at = 0; at < 3; at++) t.match(await from('192.0.2.1'), { status: 302 });
  t.match(await from('::ffff:192.0.2.1'), { status: 429 }, 'an IPv4 address in other words');
  t.match(await from('192.0.2.2'), { status: 302 });
});

t.test('limits that cannot be are refused', async (t) => {
  const wrong = ['--gateway-requests-min', '30', '--gateway-requests-max', '20'];
  await t.rejects(startPlane(t, { flags: wrong }), { code: 'CONFIG_INVALID', message: /requests-min/ });
  await t.rejects(startPlane(t, { flags: ['--gateway-browse-per-second', '0'] }), { code: 'CONFIG_INVALID' });
});
