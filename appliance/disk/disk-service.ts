import { setTimeout as sleep } from 'node:timers/promises';

import type { Static } from '../../common/contract/type.ts';
import { createSystemClock } from '../../common/runtime/clock.ts';
import { openDataDir, type DataDir } from '../../common/runtime/data-dir.ts';
import { assert, isCoded } from '../../common/runtime/errors.ts';
import { createLog, createSilentLog, type Log } from '../../common/runtime/log.ts';
import { batches } from '../core/batches.ts';
import { packedFilesMax, packFiles } from '../store/packed-files.ts';
import { loadAddon } from '../engine/native-loader.ts';
import type { DiskContents } from '../store/disk-writer.ts';
import { LocalWriter } from '../store/local-writer.ts';
import { createWriteBehind } from '../store/write-behind.ts';
import type {
  DiskLook,
  DiskQuestion,
  FromDisk,
  Opened,
  Published,
  Resumed,
  ToDisk,
} from './disk-messages.ts';
import { lookAt, probeDisk, readLabel, writeLabel } from './label.ts';

/** The process of an earlier master is on its way out for as long. */
const lockTriesMax = 20;
const lockPauseMs = 50;

/** What the process of a disk does when it is asked. */
export class DiskService {
  readonly log: Log;
  readonly #path: string;
  readonly #tell: (message: FromDisk) => void;
  #lock: DataDir | undefined;
  #writer: LocalWriter | undefined;

  constructor({ path, nodeId, log }: Extract<ToDisk, { kind: 'init' }>, tell: (message: FromDisk) => void) {
    this.log = createLog({ name: nodeId, ...log }).child({ disk: path });
    this.#path = path;
    this.#tell = tell;
  }

  /** Does what is asked. @returns what answers it, as the question's schema says. Errors: those of the disk. */
  async answer(id: number, question: DiskQuestion): Promise<unknown> {
    switch (question.op) {
      case 'look':
        return this.#look();
      case 'open':
        return this.#open(id, question);
      case 'heal':
        return this.#opened.heal();
      case 'probe':
        return probeDisk(this.#path, question.disk);
      case 'free':
        return this.#opened.freeBytes();
      case 'begin':
        return this.#opened.begin(question.file, Buffer.from(question.descriptor, 'base64'));
      case 'resume':
        return this.#resume(question.file);
      case 'publish':
        return this.#opened.publish(question.file) satisfies Promise<Static<typeof Published>>;
      case 'discard':
        return this.#opened.discard(question.file);
      case 'remove':
        return this.#opened.remove(question.file);
      case 'send-back':
        return this.#opened.sendBack(question.file);
      case 'examine':
        return this.#opened.examine(question.file);
      case 'check':
        return this.#opened.check(question.file, question.index, question.by);
    }
  }

  put(file: string, index: number, chunk: Buffer): Promise<boolean> {
    return this.#opened.put(file, index, chunk);
  }

  /** Whether it has the disk. */
  get isOpen(): boolean {
    return this.#writer !== undefined;
  }

  /** Lets go of the disk. */
  async close(): Promise<void> {
    await this.#writer?.close();
    await this.#lock?.close();
  }

  get #opened(): LocalWriter {
    assert(this.#writer !== undefined, 'a disk is opened before it is used');
    return this.#writer;
  }

  async #look(): Promise<DiskLook> {
    const there = await lookAt(this.#path);
    const label = await readLabel(this.#path);
    return { ...there, ...(label !== undefined && { label }) };
  }

  async #open(
    id: number,
    { label, isNew, isDataDir }: Extract<DiskQuestion, { op: 'open' }>,
  ): Promise<Static<typeof Opened>> {
    const path = this.#path;
    const { log } = this;
    const clock = createSystemClock();
    const behind = createWriteBehind({ loadAddon: () => loadAddon(createSilentLog()), log });
    // Whoever has the data directory's lock is the master; its index has a lock of its own.
    const lock = isDataDir ? undefined : await takeLock(path);
    try {
      if (isNew) await writeLabel(path, label);
      await probeDisk(path, label.id);
      const { writer, contents } = await LocalWriter.open({ path, behind, clock, log });
      this.#lock = lock;
      this.#writer = writer;
      return this.#tellAll(id, writer, contents);
    } catch (error) {
      await lock?.close();
      throw error;
    }
  }

  #tellAll(id: number, writer: LocalWriter, contents: DiskContents): Static<typeof Opened> {
    writer.onFound(({ file, sizeBytes }) => {
      this.#tell({ kind: 'found', file, ...(sizeBytes !== undefined && { sizeBytes }) });
    });
    for (const files of batches(contents.held, packedFilesMax))
      this.#tell({ kind: 'held', id, files: packFiles(files) });
    return { partial: [...contents.partial] };
  }

  async #resume(file: string): Promise<Static<typeof Resumed>> {
    const resumed = await this.#opened.resume(file);
    if (resumed === undefined) return null;
    const { descriptor, bits, resumedBytes } = resumed;
    return {
      descriptor: descriptor.toString('base64'),
      bits: Buffer.from(bits).toString('base64'),
      resumedBytes,
    };
  }
}

async function takeLock(path: string): Promise<DataDir> {
  for (let tries = 1; ; tries++) {
    try {
      return await openDataDir({ path, kind: 'appliance-disk', formatVersion: 1 });
    } catch (error) {
      if (!isCoded(error, 'STORE_LOCKED') || tries === lockTriesMax) throw error;
      await sleep(lockPauseMs);
    }
  }
}
