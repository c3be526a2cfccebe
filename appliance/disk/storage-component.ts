import type { Component } from '../../common/runtime/lifecycle.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { ApplianceConfig } from '../config.ts';
import type { Storage } from '../storage.ts';

/** Watches the disks for as long as the process lives; on SIGHUP they are those that the configuration names by then. All else in it waits for a restart. */
export function storageComponent(options: {
  storage: Pick<Storage, 'start' | 'useDisks' | 'close'>;
  readAgain: () => ApplianceConfig;
  log: Log;
}): Component {
  const { storage, readAgain, log } = options;
  let turn = Promise.resolve();
  const onHangup = (): void => {
    turn = turn
      .then(async () => {
        const { disks, drainDisks } = readAgain();
        log.info({ disks, drainDisks }, 'the disks are read from the configuration again');
        await storage.useDisks({ disks, drainDisks });
      })
      .catch((error: unknown) => {
        log.error({ err: error }, 'the configuration cannot be used; the disks stay as they are');
      });
  };
  return {
    name: 'storage',
    start({ signal }) {
      storage.start(signal);
      process.on('SIGHUP', onHangup);
    },
    async stop() {
      process.off('SIGHUP', onHangup);
      await turn;
      await storage.close();
    },
  };
}
