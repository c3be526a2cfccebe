import { LRUCache } from 'lru-cache';
import { Reader, type Response } from 'mmdb-lib';

import { Place } from '../../common/contract/documents.ts';
import { Type } from '../../common/contract/type.ts';
import { formatAddress, type Address } from '../../common/core/ip-address.ts';
import { coded } from '../../common/runtime/errors.ts';
import { matches } from '../../common/runtime/parse.ts';
import type { Places } from '../core/rank-query.ts';

/** What is read of a record, as GeoLite2 City, GeoIP2 City and DB-IP City have it. */
const GeoRecord = Type.Object({
  city: Type.Optional(Type.Object({})),
  location: Type.Object({
    latitude: Place.properties.latitude,
    longitude: Place.properties.longitude,
    /** In kilometres. */
    accuracy_radius: Type.Optional(Type.Number({ minimum: 0 })),
  }),
});

/** Within so many kilometres a place is worth something where no city is named: a country's middle is not. */
const radiusKmMax = 200;
const recordsKept = 20_000;

/**
 * Reads places of addresses from a MaxMind database (.mmdb). Records that are wrong, or that know but the country, have none.
 *
 * @throws GEO_FILE_INVALID
 */
export function openPlaceBook(bytes: SharedArrayBuffer): Places {
  const cache = new LRUCache<string | number, object>({ max: recordsKept });
  let reader: Reader<Response>;
  try {
    reader = new Reader(Buffer.from(bytes), { cache });
    // A file that ends in its middle is met here rather than by a viewer.
    for (const address of ['192.0.2.1', '255.255.255.255', '::', '2001:db8::']) {
      if (reader.metadata.ipVersion === 6 || !address.includes(':')) reader.get(address);
    }
  } catch (cause) {
    throw coded('GEO_FILE_INVALID', {
      detail: cause instanceof Error ? cause.message : 'it is no MaxMind database',
      cause,
    });
  }
  const knowsIpv6 = reader.metadata.ipVersion === 6;
  return {
    find(words, family) {
      if (family === 6 && !knowsIpv6) return { place: undefined, bits: 0 };
      const address = formatAddress({ family, words } as Address);
      try {
        const [record, bits] = reader.getWithPrefixLength(address);
        return { place: placeOf(record), bits };
      } catch {
        // What a broken record says is not known; that the file is whole was seen when it was opened.
        return { place: undefined, bits: family === 4 ? 32 : 128 };
      }
    },
  };
}

function placeOf(record: unknown): Place | undefined {
  if (!matches(GeoRecord, record)) return undefined;
  const { city, location } = record;
  const { latitude, longitude, accuracy_radius: radiusKm = Infinity } = location;
  return city !== undefined || radiusKm <= radiusKmMax ? { latitude, longitude } : undefined;
}
