import { join } from 'node:path';

import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Identity } from '../../common/runtime/identity.ts';
import type { Component } from '../../common/runtime/lifecycle.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { FillRecords } from '../metrics.ts';
import type { ControlLink } from './control-link.ts';
import { ServedReports } from './served-reports.ts';

/** The served reports of a box, in its data directory and by its key. */
export function createServed(options: {
  config: { readonly dataDir: string };
  identity: Pick<Identity, 'key'>;
  link: ControlLink;
  clock: Clock;
  chance: Chance;
  log: Log;
}): ServedReports {
  const { config, identity, link, clock, chance, log } = options;
  return new ServedReports({
    path: join(config.dataDir, 'served-reports'),
    key: identity.key,
    send: (jws, signal) => link.servedReport(jws, signal),
    clock,
    chance,
    log,
  });
}

/** Stands before whatever serves, so that it ends after it: what was served last is kept too. */
export function servedComponent(served: ServedReports): Component {
  let done: Promise<unknown> | undefined;
  return {
    name: 'served-reports',
    async start({ signal, crash }) {
      await served.open();
      done = served.run(signal).catch(crash);
    },
    async stop() {
      await done;
      await served.close();
    },
  };
}

/** The fill's records, so that what it takes to fill a box is told beside what the box serves. */
export function countFilled<T extends { readonly fill: FillRecords }>(records: T, served: ServedReports): T {
  const received: FillRecords['received'] = (kind, bytes) => {
    records.fill.received(kind, bytes);
    served.filled(bytes);
  };
  return { ...records, fill: { ...records.fill, received } };
}
