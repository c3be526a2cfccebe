import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Component } from '../../common/runtime/lifecycle.ts';
import type { Log } from '../../common/runtime/log.ts';
import { DailyAddressKey } from './address-key.ts';
import type { AccessLogOptions } from './config.ts';
import { idleCpu } from './idle-cpu.ts';
import { LogRotation } from './log-rotation.ts';
import { accessLogPath } from './serving-recording.ts';

/** What one process does for the records of all that serve: the day's address key, and the access log's files. */
export function recordsComponent(options: {
  config: { readonly dataDir: string; readonly accessLog: AccessLogOptions };
  serving: { setAddressKey(key: Buffer): void };
  clock: Clock;
  chance: Chance;
  log: Log;
}): Component {
  const { config, serving, clock, chance, log } = options;
  const { dataDir, accessLog } = config;
  const onKey = (key: Buffer): void => {
    serving.setAddressKey(key);
  };
  const keys = new DailyAddressKey({ clock, chance, onKey });
  const isQuiet = idleCpu();
  const rotation = new LogRotation({ path: accessLogPath(dataDir), ...accessLog, clock, log, isQuiet });
  let done: Promise<unknown> | undefined;
  return {
    name: 'records',
    start({ signal, crash }) {
      if (!accessLog.enabled) return;
      const running = [rotation.run(signal), ...(accessLog.addresses ? [keys.run(signal)] : [])];
      done = Promise.all(running).catch(crash);
    },
    async stop() {
      await done;
    },
  };
}
