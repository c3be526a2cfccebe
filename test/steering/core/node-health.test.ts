import t from 'tap';
import type { Family } from '../../../steering/core/health.ts';
import { nameOf, nodeHealth, type HealthParts } from '../../../steering/core/node-health.ts';
import type { MergedNode } from '../../../steering/core/quorum.ts';

function merged(
  by: Partial<Record<Family, 'up' | 'down' | 'unknown'>>,
  more: Partial<MergedNode> = {},
): MergedNode {
  const verdicts = new Map(
    Object.entries(by).map(([family, verdict]) => [Number(family) as Family, verdict] as const),
  );
  return { verdicts, draining: false, said: undefined, why: '', ...more };
}

const health = (parts: Partial<HealthParts>) =>
  nodeHealth({
    ...{ merged: undefined, maintenance: undefined, before: undefined },
    nowMs: 100,
    ...parts,
  });

t.test('up where any family is, down where all that is known speaks against it', (t) => {
  t.equal(health({}).verdict, 'unknown');
  t.equal(health({ merged: merged({ 4: 'unknown' }) }).verdict, 'unknown');
  t.match(health({ merged: merged({ 4: 'up', 6: 'down' }, { why: 'IPv6: timeout' }) }), {
    verdict: 'up',
    downFamilies: [6],
    reason: 'it answers, but not over IPv6: timeout',
  });
  t.match(health({ merged: merged({ 4: 'down', 6: 'unknown' }, { why: 'ECONNREFUSED' }) }), {
    verdict: 'down',
    reason: 'ECONNREFUSED',
    downFamilies: undefined,
  });
  t.equal(health({ merged: merged({ 4: 'up' }, { draining: true }) }).verdict, 'draining');
  t.end();
});

t.test('planned maintenance drains it, whatever it says; dead stays dead', (t) => {
  const maintenance = {
    id: 'mnt_00000001',
    site: 's',
    startMs: 0,
    endMs: 3_600_000,
    drainMs: 0,
    reason: 'new fan',
  };
  t.match(health({ merged: merged({ 4: 'up' }), maintenance }), {
    verdict: 'draining',
    reason: 'planned maintenance from 1970-01-01T00:00:00Z until 1970-01-01T01:00:00Z: new fan',
  });
  t.equal(health({ merged: merged({ 4: 'down' }), maintenance }).verdict, 'down');
  t.equal(health({ maintenance }).verdict, 'draining');
  t.end();
});

t.test('the time since when is that of what ranking sees', (t) => {
  const first = health({ merged: merged({ 4: 'up', 6: 'up' }) });
  const second = health({ merged: merged({ 4: 'up', 6: 'up' }), before: first, nowMs: 200 });
  t.equal(second.sinceMs, 100);
  const third = health({ merged: merged({ 4: 'up', 6: 'down' }), before: second, nowMs: 300 });
  t.strictSame([third.sinceMs, nameOf(third)], [300, 'up, IPv6 down']);
  t.end();
});
