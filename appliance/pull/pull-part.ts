import type { Clock } from '../../common/runtime/clock.ts';
import type { Component } from '../../common/runtime/lifecycle.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import type { ApplianceConfig } from '../config.ts';
import { Pacer } from '../fill/pacer.ts';
import type { Room } from '../fill/room.ts';
import { SourceClient } from '../fill/source-client.ts';
import type { FileStore } from '../store/file-store.ts';
import { pullRecords } from './pull-records.ts';
import { Puller } from './puller.ts';
import { SharedStore } from './shared-store.ts';
import { Upstream } from './upstream.ts';
import { KnownWays, type KnownWaysOptions } from './known-ways.ts';

export interface PullPartOptions {
  config: Pick<ApplianceConfig, 'miss' | 'fillStallMs'>;
  clock: Clock;
  log: Log;
  store: FileStore;
  room: Room;
  metrics: Metrics;
  /** Asks the control plane where files are, whether or not the manifest wants them. */
  askSources: KnownWaysOptions['askSources'];
  /** Hears of bytes that came from elsewhere. */
  onReceived: (bytes: number) => void;
}

/** What gets, or knows the way to, what is not held. */
export interface PullPart {
  readonly puller: Puller;
  /** The store through which everything else downloads from now on: a download has one owner. */
  readonly store: SharedStore;
  readonly component: Component;
}

/** A viewer waits: a source that is silent for so long has failed. */
const stallMsMax = 2000;
const chunkMsMax = 10_000;

/** Puts the parts of pull-through together; undefined where what is not held is refused. */
export function createPull(options: PullPartOptions): PullPart | undefined {
  const { config, clock, log, room, metrics, askSources, onReceived } = options;
  const { miss: mode } = config;
  if (mode === 'refuse') return undefined;
  const store = new SharedStore(options.store);
  const counted = pullRecords(metrics, () => puller.count);
  const records: typeof counted = {
    ...counted,
    received: (kind, bytes) => {
      counted.received(kind, bytes);
      onReceived(bytes);
    },
  };
  const sources = new SourceClient({
    // Viewers wait for it: what fill may take is not the bound here.
    pacer: new Pacer({ clock, level: () => 'normal' }),
    clock,
    stallMs: Math.min(config.fillStallMs, stallMsMax),
  });
  const ways = new KnownWays({ askSources, clock, log });
  const upstream = new Upstream({ ways, sources, records, clock, log, chunkMsMax });
  const puller = new Puller({ mode, store, room, upstream, records, clock, log });
  return {
    ...{ puller, store },
    component: pullComponent(puller, sources),
  };
}

function pullComponent(puller: Puller, sources: SourceClient): Component {
  let done: Promise<void> | undefined;
  return {
    name: 'pull',
    start({ signal, crash }) {
      done = puller.run(signal).catch(crash);
    },
    async stop() {
      await done;
      await sources.close();
    },
  };
}
