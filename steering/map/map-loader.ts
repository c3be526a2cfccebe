import { createMapCompiler, type MapCompiler } from './map-compiler.ts';
import { startMapThread, type MapThread } from './map-thread.ts';
import { openTableStore } from './table-store.ts';

/** A compiler that never holds up who answers. */
export interface MapLoader extends MapCompiler {
  close(): Promise<void>;
}

/** What the tables of maps, present and past, may take on disk. */
const TABLES_BYTES_MAX = 1024 * 1024 * 1024;
// A map within these is compiled in a few milliseconds; a thread costs some 30 MiB of memory.
const SMALL_MAP_CHARACTERS = 64 * 1024;
const SMALL_MAP_ROUTES = 2_000;

/** Where a loader keeps what it needs: a folder of tables, and the file of the routes merged of them. */
export interface MapPaths {
  readonly tables: string;
  readonly image: string;
}

/** Makes a loader. Small maps are compiled here, and from the first large one on all in a thread. */
export function createMapLoader({ tables, image }: MapPaths): MapLoader {
  const start = { folder: tables, bytesMax: TABLES_BYTES_MAX, image };
  let here: Promise<MapCompiler> | undefined;
  let thread: MapThread | undefined;
  const small = (): Promise<MapCompiler> =>
    (here ??= openTableStore(tables, TABLES_BYTES_MAX).then((store) => createMapCompiler(store)));

  return {
    async open(map) {
      if (thread === undefined && map.jws.length <= SMALL_MAP_CHARACTERS) {
        const opened = await (await small()).open(map);
        if (opened.routeCount <= SMALL_MAP_ROUTES) return opened;
      }
      thread ??= startMapThread(start);
      return thread.open(map);
    },
    take: async (name, packed) => (thread ?? (await small())).take(name, packed),
    // What is compiled here is compiled at once.
    compileEarly: () => thread?.compileEarly() ?? Promise.resolve(undefined),
    compile: async () => (thread ?? (await small())).compile(),
    write: async () => (thread ?? (await small())).write(),
    async close() {
      await thread?.close();
    },
  };
}
