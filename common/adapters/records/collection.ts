import { coded, isCoded } from '../../runtime/errors.ts';
import type { RecordEntry, RecordOperation, RecordScanOptions, RecordValue, Records } from './port.ts';

/** A parsed document with its key and version. */
export interface CollectionEntry<T> {
  key: string;
  version: number;
  value: T;
}

/** One collection as its service sees it: documents of one shape, parsed when they are read. */
export interface Collection<T extends RecordValue> {
  get(key: string): Promise<CollectionEntry<T> | undefined>;
  /** Puts whatever is there, or only over `expectedVersion` (0: only when absent; RECORDS_CONFLICT otherwise). */
  put(key: string, value: T, expectedVersion?: number): Promise<number>;
  remove(key: string): Promise<boolean>;
  scan(options?: RecordScanOptions): Promise<readonly CollectionEntry<T>[]>;
  /** Every document under a prefix, page by page: no snapshot, changes in between may show. */
  all(prefix?: string): AsyncGenerator<CollectionEntry<T>, void, undefined>;
  /** Changes for a commit together with those of other collections. */
  putOperation(key: string, value: T, expectedVersion?: number): RecordOperation;
  removeOperation(key: string, expectedVersion?: number): RecordOperation;
}

/** A collection of documents of one shape; `parse` throws for what is not of the shape, which is STORE_CORRUPT: whoever reads has sent nothing wrong. */
export function openCollection<T extends RecordValue>(
  records: Records,
  name: string,
  parse: (value: unknown) => T,
): Collection<T> {
  const parsed = (entry: RecordEntry): CollectionEntry<T> => {
    try {
      return { ...entry, value: parse(entry.value) };
    } catch (error) {
      throw isCoded(error, 'INVALID')
        ? coded('STORE_CORRUPT', { detail: error.detail, cause: error })
        : error;
    }
  };
  const scan = async (options?: RecordScanOptions): Promise<CollectionEntry<T>[]> =>
    (await records.scan(name, options)).map(parsed);
  const putOperation = (key: string, value: T, expectedVersion?: number): RecordOperation => ({
    kind: 'put',
    collection: name,
    key,
    value,
    expectedVersion,
  });
  return {
    async get(key) {
      const entry = await records.get(name, key);
      return entry && parsed(entry);
    },
    put: (key, value, expectedVersion) => records.commit([putOperation(key, value, expectedVersion)]),
    remove: (key) => records.remove(name, key),
    scan,
    async *all(prefix = '') {
      let after: string | undefined;
      for (;;) {
        const page = await scan({ prefix, after });
        yield* page;
        after = page.at(-1)?.key;
        if (after === undefined) return;
      }
    },
    putOperation,
    removeOperation: (key, expectedVersion) => ({ kind: 'remove', collection: name, key, expectedVersion }),
  };
}
