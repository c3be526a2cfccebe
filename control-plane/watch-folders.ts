import { resolve } from 'node:path';
import { coded } from '../common/runtime/errors.ts';
import type { WatchFolder } from './services/catalog/ports.ts';

/**
 * Folders to watch, each given as `NAME=PATH` or as a path alone. Throws CONFIG_INVALID where two have one name: what lies at the same
 * place in them would be one title.
 */
export function watchFoldersOf(given: readonly string[]): WatchFolder[] {
  const labels = new Set<string>();
  return given.map((typed) => {
    const [, label, path = typed] = /^([A-Za-z0-9._-]{1,32})=(.+)$/.exec(typed) ?? [];
    if (label === undefined) return { path: resolve(path) };
    if (labels.has(label)) throw coded('CONFIG_INVALID', `--watch-folders: two are named ${label}`);
    labels.add(label);
    return { path: resolve(path), label };
  });
}
