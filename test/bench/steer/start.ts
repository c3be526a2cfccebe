// What a steering node does with its map when it starts, over the folder that `prepare.ts` wrote.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { PublicJwk } from '../../../common/contract/primitives.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import { importPublicJwk } from '../../../common/runtime/keys.ts';
import { createLog } from '../../../common/runtime/log.ts';
import { parseJsonAs } from '../../../common/runtime/parse.ts';
import type { SteeringView } from '../../../steering/core/view.ts';
import { createMapHolder, type MapHolder } from '../../../steering/map/map-holder.ts';
import { createMapLoader, type MapLoader } from '../../../steering/map/map-loader.ts';
import { createMapSnapshot } from '../../../steering/map/snapshot.ts';

export interface Started {
  readonly holder: MapHolder;
  readonly loader: MapLoader;
  readonly view: SteeringView;
  readonly loadSeconds: number;
  /** Resident once all is loaded. */
  readonly rssMiB: number;
}

/** Loads the map of a folder. */
export async function startWithMap(folder: string): Promise<Started> {
  const log = createLog({ name: 'bench', level: 'error' });
  const text = await readFile(join(folder, 'key.json'), 'utf8');
  const key = importPublicJwk(parseJsonAs(PublicJwk, text, { what: 'the key' }));
  const startedMs = performance.now();
  const loader = createMapLoader({ tables: join(folder, 'map-tables'), image: join(folder, 'steering-map.routes') }); // prettier-ignore
  const snapshot = createMapSnapshot(join(folder, 'steering-map.jws'), log);
  const holder = createMapHolder({
    // The next run starts with the same map, and with what the first has left.
    snapshot: { ...snapshot, write: () => Promise.resolve() },
    compiler: { ...loader, write: () => Promise.resolve() },
    findKey: () => key,
    clock: createSystemClock(),
    log,
    onView: () => undefined,
    onMap: () => undefined,
    onRefused: (code) => {
      throw new Error(code);
    },
  });
  await holder.load();
  const loadSeconds = (performance.now() - startedMs) / 1000;
  const view = holder.view();
  if (view === undefined) throw new Error('the map was not taken');
  return { holder, loader, view, loadSeconds, rssMiB: process.memoryUsage.rss() / 2 ** 20 };
}
