import t from 'tap';
import { fuzzDns } from '../../support/fuzz-dns.ts';

t.test('mutated packets break no rule, and both readers lead to one reply', (t) => {
  const { wrong, finding, replies, compared } = fuzzDns({ seed: 11, count: 40_000 });
  t.equal(wrong, 0, finding ?? 'no rule is broken');
  t.ok(compared > 10_000);
  for (const code of ['NOERROR', 'NXDOMAIN', 'FORMERR', 'REFUSED', 'NOTIMP']) t.ok(replies.get(code), code);
  t.end();
});
