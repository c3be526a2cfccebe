import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Type } from '../../common/contract/type.ts';

import { systemCode } from '../../common/runtime/errors.ts';
import type { Log } from '../../common/runtime/log.ts';
import { parseJsonAs } from '../../common/runtime/parse.ts';
import type { NativeAddon } from './native-addon.ts';

/** What the build writes beside the addon. */
const BuildInfo = Type.Object({
  node: Type.String({ maxLength: 64 }),
  openssl: Type.String({ maxLength: 64 }),
  arch: Type.String({ maxLength: 64 }),
});

const builtAt = fileURLToPath(new URL('./native/build/', import.meta.url));

/**
 * Loads the serving addon; undefined, with one line in the log that says why, where it is not built or was built for
 * another runtime. OpenSSL's structures differ from version to version and the addon uses those of Node, so that is
 * looked at before any of its code runs.
 */
export function loadAddon(log: Log, path = builtAt): NativeAddon | undefined {
  const fallBack = (why: string): undefined => {
    log.warn({ why }, 'serving without the native engine: slower, the same answers');
  };
  try {
    const text = readFileSync(`${path}build-info.json`, 'utf8');
    const built = parseJsonAs(BuildInfo, text, { what: 'build-info.json of the native engine' });
    const { node, openssl } = process.versions;
    const runs = { node, openssl, arch: process.arch };
    for (const part of ['node', 'openssl', 'arch'] as const) {
      if (built[part] !== runs[part])
        return fallBack(`it was built for ${part} ${built[part]}, this is ${runs[part]}`);
    }
    return createRequire(import.meta.url)(`${path}engine.node`) as NativeAddon;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return fallBack('it is not built');
    return fallBack(error instanceof Error ? error.message : String(error));
  }
}
