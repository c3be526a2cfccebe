import { readFile } from 'node:fs/promises';
import { Reader, type Response } from 'mmdb-lib';
import { Type } from '../common/contract/type.ts';
import { coded } from '../common/runtime/errors.ts';
import { matches } from '../common/runtime/parse.ts';

/** The country in which an address is; undefined where that is not known. */
export type RegionOf = (client: string) => string | undefined;

/** What is read of a record, as all of MaxMind's and DB-IP's databases of countries and cities have it. */
const CountryRecord = Type.Object({
  country: Type.Object({ iso_code: Type.String({ pattern: '^[A-Z]{2}$' }) }),
});

/** Opens the regions of a MaxMind database (.mmdb); without a file no region is known. Errors: GEO_FILE_INVALID. */
export async function openRegions(path: string | undefined): Promise<RegionOf> {
  if (path === undefined) return () => undefined;
  try {
    const reader = new Reader<Response>(await readFile(path));
    return (client) => {
      try {
        const record = reader.get(client);
        return matches(CountryRecord, record) ? record.country.iso_code : undefined;
      } catch {
        // An address of the other family, or a broken record: not known.
        return undefined;
      }
    };
  } catch (cause) {
    throw coded('GEO_FILE_INVALID', { detail: path, cause });
  }
}
