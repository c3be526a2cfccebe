import { isCoded } from '../../../common/runtime/errors.ts';
import { unpackRouteTable } from '../../../common/runtime/route-table-packing.ts';
import { createTableThread } from './table-thread.ts';
import { createTableWork, type TableWork } from './table-work.ts';

// What is within these takes some milliseconds; a thread costs some 40 MiB of memory.
const smallRoutes = 16_000;
const smallBytes = 64 * 1024;

export interface TablesOptions {
  /** Of packed tables under their names. */
  readonly directory: string;
  /** How many routes all boxes have told. */
  readonly routeCount: () => number;
  /** Told of tables that are not there, or damaged, before the call fails. */
  readonly onUnknown: (name: string) => Promise<void>;
}

/** Few routes are looked at here, and from when there are many, or a large table comes, all in a thread of its own. */
export function createTables({ directory, routeCount, onUnknown }: TablesOptions): TableWork {
  const here = createTableWork(directory);
  let thread: TableWork | undefined;
  const startThread = (): TableWork => (thread ??= createTableThread(directory));
  const run = async <T>(call: (work: TableWork) => Promise<T>): Promise<T> => {
    if (routeCount() > smallRoutes) startThread();
    try {
      return await call(thread ?? here);
    } catch (error) {
      if (isCoded(error, 'ROUTE_TABLE_UNKNOWN') && error.detail !== undefined) await onUnknown(error.detail);
      throw error;
    }
  };
  return {
    async take(told, policy, kept) {
      if (thread === undefined && told.kind !== 'kept' && !(await isSmall(told.packed))) startThread();
      return run((work) => work.take(told, policy, kept));
    },
    changed: (...given) => run((work) => work.changed(...given)),
    difference: (...given) => run((work) => work.difference(...given)),
    pick: (...given) => run((work) => work.pick(...given)),
    lint: (...given) => run((work) => work.lint(...given)),
    mergeSites: (...given) => run((work) => work.mergeSites(...given)),
  };
}

async function isSmall(packed: Uint8Array): Promise<boolean> {
  try {
    await unpackRouteTable(packed, smallBytes);
    return true;
  } catch (error) {
    // Or it cannot be unpacked at all, which whoever takes it finds too.
    if (isCoded(error, 'ROUTE_TABLE_INVALID')) return false;
    throw error;
  }
}
