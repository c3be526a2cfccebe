import t from 'tap';
import { holdsBundle } from '../../../steering/core/view.ts';
import { appliance, bundleOf, mapOf, origin, route, viewOf } from '../../support/steering-maps.ts';

t.test('a map becomes a view: holders, addresses, routes, and what is dropped', (t) => {
  const map = mapOf(
    [
      appliance('a', {
        routes: [route('10.0.0.0/8'), route('0.0.0.0/0'), route('10.0.0.1/8'), route('2001:db8::/32')],
      }),
      appliance('b', { url: 'http://[2001:db8::5]:8080' }),
      appliance('a', { site: 'second' }),
      appliance('c', {
        url: 'http://192.0.2.7:8080',
        addresses: ['192.0.2.8', '2001:db8::8', '::ffff:192.0.2.9'],
      }),
      origin(),
    ],
    { bundles: [{ bundle: bundleOf('0'), title: 'T', titleId: 'x', holders: [3, 0, 99, 2] }] },
  );
  const view = viewOf(map);
  t.strictSame([...view.indexOf], [['a', 0], ['b', 1], ['c', 2], ['origin', 3]]); // prettier-ignore
  t.equal(view.appliances[0]?.site, 'site-a', 'of two with one name the first counts');
  t.strictSame(view.routes.dropped, { defaults: 1, invalid: 1 });
  t.equal(view.routes[4].prefixes.size, 1);
  t.strictSame(view.appliances[1]?.addresses, { 4: [], 6: ['2001:db8::5'] }, 'the URL names the address');
  t.strictSame(view.appliances[2]?.addresses, { 4: ['192.0.2.8', '192.0.2.9'], 6: ['2001:db8::8'] });
  t.strictSame(
    [0, 1, 2, 3].map((index) => holdsBundle(view, index, bundleOf('0'))),
    [true, false, true, true],
  );
  t.equal(holdsBundle(view, 0, bundleOf('9')), false);
  t.strictSame(
    view.appliances.map(({ open }) => open),
    [false, false, false, false],
  );
  t.equal(viewOf(mapOf([appliance('x', { routes: [] })])).appliances[0]?.open, true);
  t.end();
});
