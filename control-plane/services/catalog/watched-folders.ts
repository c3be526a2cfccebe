import { dirname as folderOf } from 'node:path/posix';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ImportProblem, WatchedFolder } from '../../../common/contract/imports.ts';
import { importEntriesMax } from '../../../common/contract/imports.ts';
import { isCaptions } from '../../../common/core/imports/folder-captions.ts';
import type { ImportLine } from '../../../common/core/imports/lines.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { toCoded } from '../../../common/runtime/errors.ts';
import {
  isList,
  isNfo,
  listFolder,
  markOf,
  readFolder,
  type FolderFile,
} from '../../../common/runtime/import-files.ts';
import type { Log } from '../../../common/runtime/log.ts';
import type { Importer } from './imports.ts';
import type { WatchFolder } from './ports.ts';

export interface WatchedFoldersDependencies {
  readonly folders: readonly WatchFolder[];
  readonly importer: Importer;
  /** Whether something is made of a title's video now. */
  readonly isAtWork: (titleId: string) => boolean;
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
export function watchFolders({ folders, ...deps }: WatchedFoldersDependencies): WatchedFolders {
  const watched = folders.map((folder) => new Watched(folder, deps));
  const look = async (signal?: AbortSignal): Promise<void> => {
    for (const one of watched) await one.look(signal);
  };
  return {
    views: () => watched.map((one) => one.view),
    look,
    async run(signal) {
      while (watched.length > 0 && !signal.aborted) {
        await look(signal);
        await deps.clock.sleep(lookEveryMs, { signal }).catch(() => undefined);
      }
    },
  };
}

class Watched {
  readonly #deps: Omit<WatchedFoldersDependencies, 'folders'>;
  /** What each file was like at the last look. */
  #seen = new Map<string, string>();
  /** Those of its files that have listed titles. */
  readonly #lists = new Set<string>();
  #imported: string | undefined;
  /** Titles whose file has changed while they are made of it: judged anew once that is done. */
  #awaited: string[] = [];
  view: WatchedFolder;

  readonly #label: string | undefined;

  constructor({ path, label }: WatchFolder, deps: Omit<WatchedFoldersDependencies, 'folders'>) {
    this.#deps = deps;
    this.#label = label;
    this.view = { path, titles: 0, problems: [] };
  }

  async look(signal: AbortSignal | undefined): Promise<void> {
    const { path } = this.view;
    try {
      const { files, unreadable } = await listFolder(path);
      const before = this.#seen;
      this.#seen = new Map(files.map((file) => [file.path, markOf(file)]));
      const settled = settledFiles(files, { before, now: this.#seen, lists: this.#lists });
      const mark = [...unreadable, ...settled.map((one) => ({ file: one.path, read: markOf(one) }))]
        .map((one) => JSON.stringify(one))
        .join('\n');
      if (mark === this.#imported && this.#awaited.every(this.#deps.isAtWork)) return;
      const lines = await readFolder(path, { files: settled, unreadable, label: this.#label });
      for (const { file, read } of lines) if ('entry' in read && isList(file)) this.#lists.add(file);
      await this.#import(lines, signal);
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
    this.#awaited = [];
    for (let from = 0; from < readable.length && signal?.aborted !== true; from += importEntriesMax) {
      const some = readable.slice(from, from + importEntriesMax);
      const { results } = await importer.run({ entries: some.map(({ line, entry }) => ({ line, entry })) });
      for (const [at, { outcome, code, detail = '', titleId, atWork }] of results.entries()) {
        counts[outcome]++;
        if (atWork === true && titleId !== undefined) this.#awaited.push(titleId);
        const { file = '', line = 1 } = some[at] ?? {};
        if (code !== undefined) problems.push({ file, line, code, detail });
      }
      // What is as it was is judged without any wait: others have their turn.
      await nextTurn();
    }
    const { path } = this.view;
    const titles = readable.length - counts.refused;
    this.view = { path, lookedAtMs: clock.nowMs(), titles, problems: problems.slice(0, problemsShown) };
    log.info({ folder: path, ...counts, problems: problems.length }, 'a watched folder was imported');
  }
}

type Seen = ReadonlyMap<string, string>;

/**
 * Files that have stayed as they were since the look before: what is still being copied has another size or time. Where an NFO, captions
 * or a list of titles have changed or gone, which some programs do when they save, what lies beside and below it waits too: it would be
 * told of wrongly. What has not listed titles before holds nothing up, since some programs write files of theirs all the time.
 */
function settledFiles(
  files: readonly FolderFile[],
  { before, now, lists }: { before: Seen; now: Seen; lists: ReadonlySet<string> },
): FolderFile[] {
  const moving = [...new Set([...before.keys(), ...now.keys()])].filter(
    (path) => before.get(path) !== now.get(path),
  );
  const holdsUp = (path: string): boolean => isNfo(path) || isCaptions(path) || lists.has(path);
  const waiting = new Set(moving.filter(holdsUp).map(folderOf));
  return files.filter(
    ({ path }) => before.get(path) === now.get(path) && !foldersAbove(path).some((one) => waiting.has(one)),
  );
}

/** The folder that a file lies in and those above it, `.` being the watched one. */
function foldersAbove(path: string): string[] {
  const folder = folderOf(path);
  return folder === '.' ? [folder] : [folder, ...foldersAbove(folder)];
}
