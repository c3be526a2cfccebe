import t from 'tap';
import { hasBit, rowOfBundle } from '../../../steering/core/holdings.ts';
import { compileParts, openView, unchangedParts } from '../../../steering/core/view.ts';
import {
  appliance,
  bundleOf,
  mapOf,
  origin,
  payloadOf,
  route,
  viewOf,
  wireOf,
} from '../../support/steering-maps.ts';

const map = mapOf(
  [
    appliance('a', { routes: [route('10.0.0.0/8'), route('0.0.0.0/0'), route('2001:db8::/32')] }),
    appliance('b', { url: 'http://[2001:db8::5]:8080' }),
    appliance('c', {
      url: 'http://192.0.2.7:8080',
      addresses: ['192.0.2.8', '2001:db8::8', '::ffff:192.0.2.9'],
      routes: [route('10.0.0.0/8', { class: 'public' }), route('10.0.0.0/9')],
    }),
    origin(),
  ],
  { bundles: [{ bundle: bundleOf('0'), holders: [3, 0, 2] }] },
);

t.test('a map becomes a view: holders, addresses, routes, and what is dropped', (t) => {
  const view = viewOf(map);
  t.strictSame([...view.indexOf], [['a', 0], ['b', 1], ['c', 2], ['origin', 3]]); // prettier-ignore
  t.equal(view.routes.defaultsDropped, 1);
  t.strictSame(view.appliances[1]?.addresses, { 4: [], 6: ['2001:db8::5'] }, 'the URL names the address');
  t.strictSame(view.appliances[2]?.addresses, { 4: ['192.0.2.8', '192.0.2.9'], 6: ['2001:db8::8'] });
  t.strictSame([...view.columns.deadFamilies], [0, 1, 0, 0]);
  const row = rowOfBundle(view.holdings, bundleOf('0'));
  t.strictSame(
    [0, 1, 2, 3].map((index) => hasBit(view.holdings.bits, row * view.holdings.rowBytes, index)),
    [true, false, true, true],
  );
  t.equal(rowOfBundle(view.holdings, bundleOf('9')), -1);
  t.strictSame([...view.columns.open], [0, 0, 1, 0], 'one route that is not embedded makes a box open');
  const unrouted = { routes: [] };
  const others = mapOf([
    appliance('of-no-network', unrouted),
    appliance('cut-off', { ...unrouted, routeFeed: true }),
    appliance('at-an-exchange', { routes: [route('10.0.0.0/8', { class: 'public' })], routeFeed: true }),
    origin(),
  ]);
  t.strictSame(
    [...viewOf(others).columns.open],
    [1, 0, 1, 0],
    'who learns routes and has none serves no strangers',
  );
  t.end();
});

t.test('tables that are not there, or of another map, are no view', (t) => {
  const { body, tables } = wireOf(map);
  const codeOf = (found: (name: string) => Uint8Array | undefined, of = body): string => {
    const parts = compileParts(payloadOf(of), found);
    return parts.ok ? 'ok' : parts.code;
  };
  t.equal(
    codeOf((name) => tables.get(name)),
    'ok',
  );
  t.equal(
    codeOf(() => undefined),
    'ROUTE_TABLE_INVALID',
  );
  const fewer = { ...body, appliances: body.appliances.slice(1) };
  t.equal(
    codeOf((name) => tables.get(name), fewer),
    'HOLDINGS_INVALID',
    'a bit for each of four',
  );
  const { holdings: _, ...earlier } = body;
  t.equal(
    codeOf((name) => tables.get(name), earlier),
    'HOLDINGS_INVALID',
    'of an earlier control plane',
  );
  t.end();
});

t.test('what is unchanged is not made again', (t) => {
  const { body, tables } = wireOf(map);
  const first = viewOf(map);
  const { routes, holdings } = first;
  const parts = compileParts(payloadOf(body), (name) => tables.get(name), { routes, holdings });
  if (!parts.ok) throw new TypeError(parts.detail);
  const second = openView(parts.value);
  t.equal(second.routes, first.routes);
  t.equal(second.holdings, first.holdings);
  t.end();
});

t.test('holdings are made again when a box begins to lead on, and not for anything else', (t) => {
  const inPart = { bundle: bundleOf('0'), holders: [3], parts: [0] };
  const { body } = wireOf({ ...map, bundles: [inPart] });
  const { routes, holdings } = viewOf({ ...map, bundles: [inPart] });
  t.equal(hasBit(holdings.bits, 0, 0), false, 'it refuses what it does not hold');
  const before = { body, parts: { routes, holdings } };
  const [first, ...others] = body.appliances;
  const after = (more: Partial<NonNullable<typeof first>>) =>
    unchangedParts(before, { ...body, appliances: [{ ...first!, ...more }, ...others] });
  t.strictSame(Object.keys(after({ headroom: 0.5 })), ['routes', 'holdings']);
  t.strictSame(Object.keys(after({ mayRedirect: true })), ['routes']);
  t.strictSame(Object.keys(after({ mayFetch: true })), ['routes']);
  t.end();
});
