import type { Log } from '../../common/runtime/log.ts';
import type { NativeAddon } from '../engine/native-addon.ts';
import type { WriteBehind } from './chunk-file.ts';

/**
 * Drops behind by the addon, which is loaded when it is first needed: most file systems take writes around the cache. Where
 * there is none it says once what that means.
 */
export function createWriteBehind(options: {
  loadAddon: () => NativeAddon | undefined;
  log: Log;
}): WriteBehind {
  let addon: NativeAddon | undefined;
  let isLoaded = false;
  const load = (): void => {
    isLoaded = true;
    addon = options.loadAddon();
    if (addon === undefined)
      options.log.warn(
        'what is filled stays in memory in place of what is watched: the native engine is not there',
      );
  };
  return {
    drop(fd) {
      if (!isLoaded) load();
      addon?.dropCached(fd);
    },
  };
}
