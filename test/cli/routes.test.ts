import t from 'tap';

import { enrolNode, startPlane } from '../control-plane/support/control-plane.ts';
import { tableOf, tellRoutes } from '../control-plane/support/tell-routes.ts';
import { nearcastCli } from '../support/nearcast-cli.ts';

t.test('routes from the command line: shown, linted and allowed', { timeout: 120_000 }, async (t) => {
  const plane = await startPlane(t);
  const box = await enrolNode(plane, 'isp-a-1', { site: 'isp-a' });
  await box.beat({ routes: undefined, addresses: ['203.0.113.1'] });
  await tellRoutes(box, tableOf('203.0.113.0/24', { prefix: '198.51.100.0/22', class: 'public', med: 9 }));
  const nearcast = nearcastCli(plane);

  t.match((await nearcast('routes', 'show')).stdout, /isp-a-1 +isp-a +isp-a +2 +0 +–/);
  const allowed = await nearcast('routes', 'allow', '203.0.113.0/24', '2001:db8::/32', '--site', 'isp-a');
  t.match(allowed.stdout, /isp-a +1 +203\.0\.113\.0\/24 up to \/24, 2001:db8::\/32 up to \/48 +≤ 1500000/);
  t.match((await nearcast('routes', 'show')).stdout, /isp-a-1 .* 1 +0 +1 foreign/);
  const csv = await nearcast('routes', 'show', '--client', '203.0.113.77', '--csv');
  t.equal(csv.stdout, 'appliance,prefix,class,AS path,MED\r\nisp-a-1,203.0.113.0/24,embedded,2,0\r\n');
  t.match((await nearcast('routes', 'show', '--prefix', '192.0.2.0/24')).stdout, /No such routes/);
  const lint = await nearcast('--json', 'routes', 'lint', '--site', 'isp-a');
  t.match(JSON.parse(lint.stdout), {
    appliances: 1,
    findings: [{ fault: 'foreign', count: 1, examples: ['198.51.100.0/22'] }, { fault: 'no-ipv6' }],
  });
  t.match((await nearcast('routes', 'lint')).stdout, /foreign +1 +198\.51\.100\.0\/22 +the site may not/);

  const less = await nearcast(
    'routes',
    'allow',
    '2001:db8::/32',
    '--site',
    'isp-a',
    '--remove',
    '--max-routes',
    '5',
  );
  t.match(less.stdout, /isp-a +1 +203\.0\.113\.0\/24 up to \/24 +≤ 5/);
  t.match((await nearcast('routes', 'allow', '--any', '--site', 'isp-a')).stdout, /any prefix/);
  t.match(await nearcast('routes', 'allow', '10.0.0.1/8', '--site', 'isp-a'), {
    code: 1,
    stderr: /10\.0\.0\.1\/8 is no prefix/,
  });
  t.match(await nearcast('routes', 'allow', '10.0.0.0/8'), { code: 1, stderr: /--site/ });
  t.match(await nearcast('routes', 'show', '--limit', '0'), { code: 64, stderr: /from 1 to 10000/ });
});
