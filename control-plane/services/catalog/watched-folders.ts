import type { ImportProblem, WatchedFolder } from '../../../common/contract/imports.ts';
import { importEntriesMax } from '../../../common/contract/imports.ts';
import type { ImportLine } from '../../../common/core/imports/lines.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { toCoded } from '../../../common/runtime/errors.ts';
import { listFolder, readFolder, type FolderFile } from '../../../common/runtime/import-files.ts';
import type { Log } from '../../../common/runtime/log.ts';
import type { Importer } from './imports.ts';

export interface WatchedFoldersDependencies {
  /** Absolute. */
  readonly folders: readonly string[];
  readonly importer: Importer;
  readonly clock: Clock;
  readonly log: Log;
}

/** Folders whose videos become titles by themselves. */
export interface WatchedFolders {
  /** What the last look at each has found. */
  views(): WatchedFolder[];
  /** Looks through each once: what has stayed as it was since the look before is imported. */
  look(signal?: AbortSignal): Promise<void>;
  /** Does so again and again until the signal. */
  run(signal: AbortSignal): Promise<void>;
}

// Folders are looked through, since shares of other machines tell nobody of changes.
const lookEveryMs = 5000;
const problemsShown = 100;

/** Watches folders. */
export function watchFolders({ folders, importer, clock, log }: WatchedFoldersDependencies): WatchedFolders {
  const watched = folders.map((path) => new Watched(path, { importer, clock, log }));
  const look = async (signal?: AbortSignal): Promise<void> => {
    for (const one of watched) await one.look(signal);
  };
  return {
    views: () => watched.map((one) => one.view),
    look,
    async run(signal) {
      while (watched.length > 0 && !signal.aborted) {
        await look(signal);
        await clock.sleep(lookEveryMs, { signal }).catch(() => undefined);
      }
    },
  };
}

class Watched {
  readonly #deps: Omit<WatchedFoldersDependencies, 'folders'>;
  /** What each file was like at the last look. */
  #seen = new Map<string, string>();
  #imported: string | undefined;
  view: WatchedFolder;

  constructor(path: string, deps: Omit<WatchedFoldersDependencies, 'folders'>) {
    this.#deps = deps;
    this.view = { path, titles: 0, problems: [] };
  }

  async look(signal: AbortSignal | undefined): Promise<void> {
    const { path } = this.view;
    try {
      const files = await listFolder(path);
      const seen = new Map(files.map((file) => [file.path, markOf(file)]));
      // What is still being copied has another size or time at the next look.
      const settled = files.filter((file) => this.#seen.get(file.path) === markOf(file));
      this.#seen = seen;
      const mark = settled.map((file) => `${file.path}\n${markOf(file)}`).join('\n');
      if (mark === this.#imported) return;
      await this.#import(await readFolder(path, settled), signal);
      if (signal?.aborted === true) return;
      this.#imported = mark;
    } catch (error) {
      const { code, detail, title } = toCoded(error);
      this.#deps.log.warn(
        { folder: path, err: error },
        'a watched folder could not be imported; tried again',
      );
      this.view = { ...this.view, problems: [{ file: path, code, detail: detail ?? title }] };
    }
  }

  async #import(lines: readonly ImportLine[], signal: AbortSignal | undefined): Promise<void> {
    const { importer, clock, log } = this.#deps;
    const problems: ImportProblem[] = lines.flatMap(({ file, line, read }) =>
      'entry' in read ? [] : [{ file, line, ...read }],
    );
    const readable = lines.flatMap(({ file, line, read }) =>
      'entry' in read ? [{ file, line, entry: read.entry }] : [],
    );
    const counts = { created: 0, changed: 0, unchanged: 0, refused: 0 };
    for (let from = 0; from < readable.length && signal?.aborted !== true; from += importEntriesMax) {
      const some = readable.slice(from, from + importEntriesMax);
      const { results } = await importer.run({ entries: some.map(({ line, entry }) => ({ line, entry })) });
      for (const [at, { outcome, code = '', detail = '' }] of results.entries()) {
        counts[outcome]++;
        const { file = '', line = 1 } = some[at] ?? {};
        if (outcome === 'refused') problems.push({ file, line, code, detail });
      }
    }
    const { path } = this.view;
    const titles = readable.length - counts.refused;
    this.view = { path, lookedAtMs: clock.nowMs(), titles, problems: problems.slice(0, problemsShown) };
    log.info({ folder: path, ...counts, problems: problems.length }, 'a watched folder was imported');
  }
}

function markOf({ sizeBytes, mtimeMs }: FolderFile): string {
  return `${sizeBytes} ${mtimeMs}`;
}
