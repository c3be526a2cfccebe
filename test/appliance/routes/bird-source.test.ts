import t from 'tap';

import { createBirdSource } from '../../../appliance/routes/bird-source.ts';
import { createRouteClassifier } from '../../../appliance/core/routes/route-classes.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import { birdLabMissing, startBirdLab, type BirdLab } from '../../support/bird-lab.ts';
import { createTold, type Told } from '../../support/told-routes.ts';

const missing = await birdLabMissing();

/** Follows the box's BIRD until the returned function is called. */
function follow(lab: BirdLab, restartMs = 0): { told: Told; stop: () => Promise<void> } {
  const told = createTold();
  const source = createBirdSource({
    socket: lab.socket,
    protocols: [],
    classifier: createRouteClassifier(['65001:300=public', '65001:1:2=private'], 'embedded'),
    restartMs,
    routesMax: 1000,
    clock: createSystemClock(),
    log: createSilentLog(),
  });
  const ended = new AbortController();
  const done = source.run(told.listener, ended.signal);
  return {
    told,
    stop: async () => {
      ended.abort();
      await done;
    },
  };
}

const first = { prefixes4: ['203.0.113.0/24', '198.51.100.0/24'], prefixes6: ['2001:db8:1::/48'] };
const prefixesOf = ({ routes }: Told): string[] => routes.map(({ prefix }) => prefix);

t.test(
  'routes are learned from BIRD: announced, changed, withdrawn, gone with their session',
  { skip: missing ?? false },
  async (t) => {
    const lab = await startBirdLab(first);
    t.teardown(() => lab.close());
    const { told, stop } = follow(lab);
    t.teardown(stop);
    await told.until((routes) => routes.length === 3);
    const plain = { asPathLength: 1, med: 0, class: 'embedded' };
    t.same(told.routes, [
      { prefix: '198.51.100.0/24', ...plain },
      { prefix: '203.0.113.0/24', ...plain },
      { prefix: '2001:db8:1::/48', ...plain },
    ]);

    // AS path, MED and both kinds of communities; a set counts as one.
    const filter = `if net = 203.0.113.0/24 then { bgp_med = 4294967295; bgp_path.prepend(65001); bgp_path.prepend(4200000000);
      bgp_community.add((65001,300)); } else bgp_large_community.add((65001,1,2));`;
    await lab.announce({ ...first, filter });
    await told.until(
      (routes) => routes.some(({ med }) => med > 0) && routes.some((r) => r.class === 'private'),
    );
    t.same(told.routes[1], {
      prefix: '203.0.113.0/24',
      asPathLength: 3,
      med: 4_294_967_295,
      class: 'public',
    });
    t.equal(told.routes[0]?.class, 'private');

    // BIRD cuts what it prints of a path: what is left still says that it is long.
    const absurd = Array<string>(250).fill('bgp_path.prepend(64512);').join(' ');
    await lab.announce({ ...first, filter: `if net = 203.0.113.0/24 then { ${absurd} }` });
    await told.until((routes) => routes.every(({ asPathLength, class: of }) => of === 'embedded' && asPathLength !== 3)); // prettier-ignore
    const [plainRoute, longRoute] = told.routes;
    t.equal(plainRoute?.asPathLength, 1);
    t.ok((longRoute?.asPathLength ?? 0) > 50, `${longRoute?.asPathLength} of 251`);

    await lab.announce({ ...first, prefixes4: ['203.0.113.0/24'] });
    await told.until((routes) => routes.length === 2);
    t.same(prefixesOf(told), ['203.0.113.0/24', '2001:db8:1::/48']);

    await lab.command('box', 'disable isp');
    await told.until((routes) => routes.length === 0);
    await told.untilReason(/ROUTE_SESSION_DOWN: isp/);
    await lab.command('box', 'enable isp');
    await told.until((routes) => routes.length === 2);

    const { tables } = told;
    await lab.command('box', 'show route');
    t.equal(told.tables, tables, 'nothing is told while nothing changes');

    await lab.kill('box');
    await told.until((routes) => routes.length === 0);
    await told.untilReason(/ROUTE_SOURCE_UNAVAILABLE/);
    await lab.start('box');
    await told.until((routes) => routes.length === 2);
  },
);

t.test(
  'with graceful restart the routes of a lost session stay until it is back, or for so long',
  { skip: missing ?? false },
  async (t) => {
    const lab = await startBirdLab(first);
    t.teardown(() => lab.close());
    const long = follow(lab, 60_000);
    const short = follow(lab, 500);
    t.teardown(() => Promise.all([long.stop(), short.stop()]));
    for (const { told } of [long, short]) await told.until((routes) => routes.length === 3);

    await lab.kill('isp');
    await short.told.until((routes) => routes.length === 0);
    await long.told.untilReason(/ROUTE_SESSION_DOWN/);
    t.equal(long.told.routes.length, 3, 'kept');

    // It comes back with less: what it does not announce any more goes once it has told the rest.
    await lab.announce({ prefixes4: ['203.0.113.0/24'] }).catch(() => undefined);
    await lab.start('isp');
    for (const { told } of [long, short]) await told.until((routes) => routes.length === 1);
  },
);

t.test(
  'a default route, a route to nowhere and a control socket that hangs',
  { skip: missing ?? false },
  async (t) => {
    const lab = await startBirdLab({ prefixes4: ['0.0.0.0/0', '203.0.113.0/24'] });
    t.teardown(() => lab.close());
    const { told, stop } = follow(lab);
    t.teardown(stop);
    await told.until((routes) => routes.length === 2);
    t.same(
      prefixesOf(told),
      ['0.0.0.0/0', '203.0.113.0/24'],
      'that it is refused is for the control plane to say',
    );
    lab.signal('box', 'SIGSTOP');
    await told.untilReason(/ROUTE_SOURCE_UNAVAILABLE.*nothing for/);
    t.same(told.routes, []);
    lab.signal('box', 'SIGCONT');
    await told.until((routes) => routes.length === 2);
  },
);
