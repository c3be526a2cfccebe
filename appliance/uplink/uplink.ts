import type { FillManifest, Revocations } from '../../common/contract/documents.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Identity } from '../../common/runtime/identity.ts';
import type { Component } from '../../common/runtime/lifecycle.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { ControlLink } from './control-link.ts';
import { followDocument } from './document-follower.ts';
import type { DocumentKeeper } from './document-keeper.ts';
import type { HeartbeatSender } from './heartbeat.ts';
import { createManifestPoll } from './manifest-poll.ts';

export interface UplinkOptions {
  clock: Clock;
  chance: Chance;
  log: Log;
  identity: Identity;
  link: ControlLink;
  heartbeats: HeartbeatSender;
  revocations: DocumentKeeper<typeof Revocations>;
  /** Absent at an origin. */
  manifest: DocumentKeeper<typeof FillManifest> | undefined;
}

/** The loops that keep the box and the control plane in touch. They outlast a drain, which they have to tell of. */
export function uplinkComponent(options: UplinkOptions): Component {
  const { clock, chance, log, identity, link, heartbeats, revocations, manifest } = options;
  const renewKeys = async (signal: AbortSignal): Promise<void> => {
    await identity.refreshKeyset(signal);
  };
  const follow = { renewKeys, clock, chance, log };
  let done: Promise<unknown> | undefined;
  return {
    name: 'uplink',
    start({ signal, crash }) {
      const loops = [
        heartbeats.run(signal),
        followDocument({
          ...follow,
          keeper: revocations,
          poll: (after, ended) => link.revocations(after, ended),
          signal,
        }),
      ];
      if (manifest !== undefined) {
        const poll = createManifestPoll(link, manifest);
        loops.push(followDocument({ ...follow, keeper: manifest, poll, signal }));
      }
      done = Promise.all(loops).catch(crash);
    },
    async stop() {
      await done;
    },
  };
}
