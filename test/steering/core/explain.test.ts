import fc from 'fast-check';
import t from 'tap';
import { ExplainReply } from '../../../common/contract/steering.ts';
import { matches } from '../../../common/runtime/parse.ts';
import { explain } from '../../../steering/core/explain.ts';
import { unprobed } from '../../../steering/core/health.ts';
import { rank } from '../../../steering/core/rank.ts';
import {
  address,
  appliance,
  bundleOf,
  mapOf,
  origin,
  rankInputOf,
  route,
  viewOf,
} from '../../support/steering-maps.ts';

const map = mapOf(
  [
    appliance('near', { routes: [route('10.1.0.0/16')] }),
    appliance('far', { routes: [route('10.0.0.0/8')] }),
    appliance('foreign', { routes: [route('11.0.0.0/8')] }),
    appliance('six', { addresses: ['2001:db8::1'] }),
    appliance('empty', {}),
    appliance('leaving', { state: 'draining' }),
    appliance('gone', { state: 'lost' }),
    appliance('ill', { reasons: ['CLOCK_SKEW: 45 s'] }),
    appliance('dead', {}),
    appliance('full', { headroom: 0.01 }),
    appliance('cut-off', { routes: [], routeFeed: true }),
    origin(),
  ],
  { bundles: [{ bundle: bundleOf('0'), holders: [0, 1, 2, 3, 5, 6, 7, 8, 9, 10] }] },
);
const view = viewOf(map);
const health = new Map([['dead', { ...unprobed(0), verdict: 'down' as const, reason: 'ECONNREFUSED' }]]);
const inputOf = (client: string, bundle: string) => ({
  ...rankInputOf(view, { client: address(client) }, { health }),
  bundle,
});

t.test('every filter names itself and says why', (t) => {
  const reply = explain(inputOf('10.1.2.3', bundleOf('0')), 5_000);
  t.ok(matches(ExplainReply, reply), 'is of the contract');
  const byId = new Map(reply.candidates.map((candidate) => [candidate.id, candidate]));
  const why: Record<string, [string | null, RegExp]> = {
    near: [null, /way 1 of 3; reaches the client by a \/16/],
    far: [null, /way 2 of 3/],
    foreign: ['no-route', /none of its 1 route/],
    six: ['address-family', /no IPv4/],
    empty: ['not-held', /whole bundle/],
    leaving: ['draining', /drained/],
    gone: ['stale', /lost/],
    ill: ['unhealthy', /CLOCK_SKEW/],
    dead: ['unhealthy', /ECONNREFUSED/],
    full: ['no-headroom', /0\.010 is below 0\.05/],
    'cut-off': ['no-route', /has none now \(is its BGP session up\?\)/],
    origin: [null, /way 3 of 3; the origin, always last/],
  };
  for (const [id, [removedBy, detail]] of Object.entries(why)) {
    t.equal(byId.get(id)?.removedBy, removedBy, id);
    t.match(byId.get(id)?.detail, detail, id);
  }
  t.match(reply, { matchedPrefix: '10.1.0.0/16', mapSequence: 1, mapAgeMs: 4_000, client: '10.1.2.3' });
  t.equal(byId.get('far')?.decidedBy, 'prefix-length');
  t.equal(byId.get('origin')?.decidedBy, 'role');
  t.end();
});

t.test('who is full for a viewer says so, and where all are full that it was waived', (t) => {
  const asked = inputOf('10.1.2.3', bundleOf('0'));
  asked.state.kept[view.indexOf.get('near') ?? -1] = 0;
  const spilled = explain(asked, 5000).candidates.find(({ id }) => id === 'near');
  t.match(spilled, {
    removedBy: null,
    rank: 2,
    decidedBy: 'load',
    detail: /full, so this viewer is sent on/,
  });
  const full = viewOf(mapOf([appliance('one', { headroom: 0 }), appliance('two', { headroom: 0 })]));
  const waived = explain(
    { ...rankInputOf(full, { client: address('10.1.2.3') }), bundle: bundleOf('0') },
    5000,
  );
  t.equal(waived.pathways.length, 2);
  for (const { detail } of waived.candidates) t.match(detail, /everybody is full, so headroom was waived$/);
  t.end();
});

t.test('the answer that is explained is the answer', (t) => {
  fc.assert(
    fc.property(fc.ipV4(), fc.constantFrom('0', '1', '2'), (client, digit) => {
      const asked = inputOf(client, bundleOf(digit));
      const answered = rank(asked).ways.map((way) => way.appliance.id);
      const explained = explain(asked, 0);
      const all = new Set(explained.candidates.map((candidate) => candidate.id));
      return (
        JSON.stringify(explained.pathways.map(({ id }) => id)) === JSON.stringify(answered) && all.size === 12
      );
    }),
  );
  t.end();
});

t.test(
  'a box that holds a part is a way where it fetches or redirects, as good as one that holds all',
  (t) => {
    const part = { bundle: bundleOf('0'), holders: [1], parts: [0, 2, 3] };
    const boxes = [
      appliance('leads-on', { mayRedirect: true, routes: [route('10.1.0.0/16')] }),
      appliance('whole', { mayRedirect: true, routes: [route('10.0.0.0/8')] }),
      appliance('pulls', { mayFetch: true, routes: [route('10.1.2.0/24')] }),
      appliance('refuses', { routes: [route('10.1.2.0/24')] }),
      appliance('other', { mayRedirect: true }),
      origin(),
    ];
    const reply = explain(
      {
        ...rankInputOf(viewOf(mapOf(boxes, { bundles: [part] })), { client: address('10.1.2.3') }),
        bundle: bundleOf('0'),
      },
      5000,
    );
    t.strictSame(
      reply.pathways.map(({ id }) => id),
      ['pulls', 'leads-on', 'whole', 'origin'],
    );
    const of = (id: string) => reply.candidates.find((one) => one.id === id);
    t.match(of('leads-on')?.detail, /most of what is planned of the bundle there, and redirects to the rest/);
    t.match(of('pulls')?.detail, /most of what is planned of the bundle there, and fetches the rest/);
    t.notMatch(of('whole')?.detail, /planned/);
    t.match(of('refuses'), { removedBy: 'not-held', detail: 'it does not hold the whole bundle' });
    t.match(of('other'), { removedBy: 'not-held', detail: /does not hold most of what is planned/ });
    t.end();
  },
);
