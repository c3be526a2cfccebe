import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';

import { parseAddress } from '../../../common/core/ip-address.ts';
import { isCoded } from '../../../common/runtime/errors.ts';
import { createManualClock } from '../../../common/runtime/manual-clock.ts';
import { createSystemChance } from '../../../common/runtime/chance.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import { rank, rankPolicyDefault } from '../../../steering/core/rank.ts';
import { createWorkerSource } from '../../../steering/dns/worker-source.ts';
import { openPlaceBook } from '../../../steering/geo/place-book.ts';
import { createPlaceFile } from '../../../steering/geo/place-file.ts';
import { temporaryDir } from '../../control-plane/support/control-plane.ts';
import { address, appliance, mapOf, rankInputOf, route, viewOf } from '../../support/steering-maps.ts';

// 1,649 bytes in the form of GeoLite2 City, written by MaxMind's own writer (mmdbwriter): 203.0.113.0/25 and 2001:db8:1::/48 with a
// city, 198.51.100.0/23 with a country and its middle alone, 192.0.2.0/24 with a latitude of 999.
const fixture = new URL('../../fixtures/places.mmdb', import.meta.url).pathname;
const berlin = { latitude: 52.52, longitude: 13.405 };
const tokyo = { latitude: 35.68, longitude: 139.69 };

function shared(bytes: Uint8Array): SharedArrayBuffer {
  const copy = new SharedArrayBuffer(bytes.length);
  new Uint8Array(copy).set(bytes);
  return copy;
}

t.test('a place is known by its city, never by the middle of a country', async (t) => {
  const places = openPlaceBook(shared(await readFile(fixture)));
  const find = (text: string) => {
    const found = parseAddress(text);
    return found && places.find(found.words, found.family);
  };
  t.strictSame(find('203.0.113.7'), { place: berlin, bits: 25 });
  t.strictSame(find('2001:db8:1:2::3'), { place: tokyo, bits: 48 });
  t.strictSame(find('198.51.101.1'), { place: undefined, bits: 23 }, 'the country alone');
  t.strictSame(find('192.0.2.1'), { place: undefined, bits: 24 }, 'no such latitude');
  t.equal(find('203.0.113.200')?.place, undefined);
});

t.test('any bytes are a file of places that answers, or are refused', async (t) => {
  const whole = await readFile(fixture);
  const damage = fc.record({
    length: fc.oneof(fc.constant(whole.length), fc.nat({ max: whole.length })),
    changes: fc.array(fc.tuple(fc.nat({ max: whole.length - 1 }), fc.nat({ max: 255 })), { maxLength: 8 }),
  });
  let opened = 0;
  fc.assert(
    fc.property(damage, fc.nat({ max: 0xffffffff }), ({ length, changes }, word) => {
      const bytes = Buffer.from(whole.subarray(0, length));
      for (const [at, value] of changes) if (at < length) bytes[at] = value;
      try {
        const places = openPlaceBook(shared(bytes));
        opened++;
        places.find([word], 4);
        places.find([word, 0, 0, word], 6);
        return true;
      } catch (error) {
        return isCoded(error, 'GEO_FILE_INVALID');
      }
    }),
    { numRuns: 500 },
  );
  t.ok(opened > 50, `${opened} were opened`);
});

const boxes = [
  appliance('berlin', { routes: [], place: berlin, addresses: ['127.0.1.1'] }),
  appliance('tokyo', { routes: [], place: tokyo, addresses: ['127.0.1.2'] }),
  appliance('routed', { routes: [route('203.0.113.0/28')], addresses: ['127.0.1.3'] }),
];

t.test('places decide where no route reaches, for no more than the block that is there', async (t) => {
  const places = openPlaceBook(shared(await readFile(fixture)));
  const world = viewOf(mapOf(boxes));
  const ask = (client: string, placeUnknown?: typeof berlin) =>
    rank(rankInputOf(world, { client: address(client), family: 4, places, placeUnknown, forBlock: true }));
  const near = ask('203.0.113.100');
  t.equal(near.ways[0]?.appliance.id, 'berlin');
  t.strictSame(near.place, berlin);
  t.equal(near.scopeLength, 26, 'the /25 of the place, less what the route beside it cuts off');
  t.equal(ask('2001:db8:1::1').ways[0]?.appliance.id, 'tokyo');
  t.equal(ask('198.51.100.1', tokyo).ways[0]?.appliance.id, 'tokyo', 'unknown: the configured place');
  t.ok(ask('198.51.100.1', tokyo).scopeLength >= 23);
  const routed = ask('203.0.113.7');
  t.equal(routed.ways[0]?.appliance.id, 'routed');
  t.equal(routed.place, null, 'a route says more');
});

t.test('the thread that answers DNS knows them too', async (t) => {
  const ttl = { healthyS: 30, incidentMinS: 5, incidentMaxS: 5 };
  const { source, take } = createWorkerSource(
    { policy: rankPolicyDefault, dnsTtl: ttl, placeUnknown: berlin, incidentMs: 1000 },
    { clock: createManualClock(), chance: createSystemChance(), onDecision: () => undefined },
  );
  const {
    indexOf: _index,
    revokedSessions: _sessions,
    revokedBundles: _bundles,
    appliances,
    ...parts
  } = viewOf(mapOf(boxes));
  take({ kind: 'appliances', from: 0, appliances });
  take({ kind: 'map', parts });
  const best = () => source.steer(address('2001:db8:1::1'), 4, undefined)?.nodes[0];
  t.equal(best(), 0, 'without them the configured place');
  take({ kind: 'places', bytes: shared(await readFile(fixture)) });
  t.equal(best(), 1);
});

t.test('a file is followed; one that cannot be read changes nothing', async (t) => {
  const path = join(await temporaryDir(t), 'places.mmdb');
  const clock = createManualClock();
  const file = createPlaceFile({ path, clock, log: createSilentLog() });
  const told: number[] = [];
  file.onChange(({ byteLength }) => told.push(byteLength));
  const stop = new AbortController();
  const start = async () => file.component.start?.({ signal: stop.signal, crash: (error) => t.error(error) });
  await t.rejects(start(), { code: 'GEO_FILE_INVALID', message: /ENOENT/ });
  await writeFile(path, 'not a database');
  await t.rejects(start(), { code: 'GEO_FILE_INVALID' });
  await copyFile(fixture, path);
  await start();
  const held = file.places();
  t.strictSame(held?.find([0xcb007101], 4).place, berlin);
  const looked = async (): Promise<void> => {
    const before = clock.sleeping();
    await clock.advance(60_000);
    while (clock.sleeping() < before) await new Promise(setImmediate);
  };
  await writeFile(path, (await readFile(fixture)).subarray(0, 900));
  await looked();
  t.equal(file.places(), held, 'the one before it goes on');
  await copyFile(fixture, path);
  await looked();
  t.not(file.places(), held);
  t.strictSame(told, [1649, 1649]);
  stop.abort();
  await file.component.stop?.();
});
