// `ours.ts PREFIXES`: steering's DNS over the benchmark's table, in a process of its own; says on which port.
import { startDns } from '../../support/dns-server.ts';
import { appliance, mapOf, route } from '../../support/steering-maps.ts';
import { addressesOf, makeNets, sites } from './world.ts';

const nets = makeNets(Number(process.argv[2]));
/** Lines of 100 Gbit/s: each query counts as a viewer, and boxes that are full for some would be ranked with all others. */
const weight = 10;
const appliances = Array.from({ length: sites }, (_, site) => {
  const routes = nets.filter((net) => net.site === site).map(({ prefix }) => route(prefix));
  return addressesOf(site).map((address, box) =>
    appliance(`s${site}-${box}`, { site: `site-${site}`, addresses: [address], routes, weight }),
  );
}).flat();
// What no prefix reaches is answered too.
appliances.push(appliance('open', { addresses: ['192.0.2.250'], routes: [] }));
const server = await startDns({
  udp: 'native',
  body: mapOf(appliances),
  // Everything comes from one network here.
  repliesPerSecond: 10_000_000,
});
process.stdout.write(`${JSON.stringify({ port: server.port })}\n`);
