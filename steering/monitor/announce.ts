import type { Clock } from '../../common/runtime/clock.ts';
import { isCoded, toCoded } from '../../common/runtime/errors.ts';
import type { Identity } from '../../common/runtime/identity.ts';
import type { Component } from '../../common/runtime/lifecycle.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { SteeringConfig } from '../config.ts';

export interface AnnounceOptions {
  readonly config: Pick<SteeringConfig, 'host' | 'peerUrl' | 'publicUrl'>;
  readonly identity: Pick<Identity, 'control' | 'nodeId'>;
  readonly clock: Clock;
  readonly log: Log;
  /** Where the node listens; known once it does. */
  readonly url: () => string;
}

const everyMs = 30_000;
const retryMs = 2000;
const wildcards = ['0.0.0.0', '::'];

/** Tells the control plane where boxes and other steering nodes reach this one, for as long as it lives. */
export function announceComponent(options: AnnounceOptions): Component {
  let done: Promise<void> | undefined;
  return {
    name: 'announce',
    start: ({ signal, crash }) => {
      const url = announcedUrl(options);
      if (url === undefined) {
        options.log.warn('boxes and other steering nodes do not know where this is: set --peer-url');
        return;
      }
      done = announce(url, options, signal).catch(crash);
    },
    stop: async () => {
      await done;
    },
  };
}

function announcedUrl({ config, url }: AnnounceOptions): string | undefined {
  const { peerUrl, publicUrl, host } = config;
  return peerUrl ?? publicUrl ?? (wildcards.includes(host) ? undefined : url());
}

async function announce(
  url: string,
  { identity, clock, log }: AnnounceOptions,
  signal: AbortSignal,
): Promise<void> {
  const path = `/v1/nodes/${identity.nodeId}/address`;
  const isOver = (): boolean => signal.aborted;
  let failing = false;
  while (!isOver()) {
    try {
      await identity.control.text({ method: 'PUT', path, body: { url }, retriesMax: 0, signal });
      failing = false;
    } catch (error) {
      if (isOver()) return;
      // That the control plane is gone is told by who follows its map.
      if (!failing && !isCoded(error, 'CONTROL_UNREACHABLE'))
        log.warn({ code: toCoded(error).code, err: error }, 'the control plane does not take where this is');
      failing = true;
    }
    await clock.sleep(failing ? retryMs : everyMs, { signal }).catch(() => undefined);
  }
}
