import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import { TimeMs } from '../../common/contract/primitives.ts';
import { Type, type Static } from '../../common/contract/type.ts';
import { makeDirectory } from '../../common/runtime/durable.ts';
import { coded, isProblemCode, type CodedError } from '../../common/runtime/errors.ts';
import { parseJsonAs } from '../../common/runtime/parse.ts';
import { readIfPresent, replaceFile } from '../store/durable.ts';
import { DiskLabel } from './label.ts';

const KnownDisks = Type.Array(Type.Object({ path: Type.String(), id: DiskLabel.properties.id }), {
  maxItems: 1000,
});
const Quarantine = Type.Object({
  path: Type.String(),
  code: Type.String({ maxLength: 64 }),
  detail: Type.String({ maxLength: 2000 }),
  sinceMs: TimeMs,
});
/** Why a disk is not used, and since when. */
export type Quarantine = Static<typeof Quarantine>;

/**
 * What a box remembers of its disks, in its data directory: which one was where, so that an empty mount point is not taken
 * for a new disk; and which ones failed. A quarantine is a file of its own, which the operator deletes to end it.
 */
export class DiskBook {
  readonly #path: string;
  readonly #quarantinePath: string;
  readonly #idByPath = new Map<string, string>();
  #writing: Promise<void> = Promise.resolve();

  constructor(dataDir: string) {
    this.#path = join(dataDir, 'disks.json');
    this.#quarantinePath = join(dataDir, 'quarantine');
  }

  async open(): Promise<void> {
    await makeDirectory(this.#quarantinePath);
    const text = await readIfPresent(this.#path);
    if (text === undefined) return;
    const known = parseJsonAs(KnownDisks, text.toString('utf8'), { what: this.#path, code: 'STORE_CORRUPT' });
    for (const { path, id } of known) this.#idByPath.set(path, id);
  }

  /** The disk that was last at the path. */
  idAt(path: string): string | undefined {
    return this.#idByPath.get(path);
  }

  async remember(path: string, id: string): Promise<void> {
    if (this.#idByPath.get(path) === id) return;
    this.#idByPath.set(path, id);
    await this.#write();
  }

  /** The disk was taken out: whatever comes to its place is as good as new, and so is the disk wherever it comes back. */
  async forget(path: string): Promise<void> {
    const id = this.#idByPath.get(path);
    if (id === undefined) return;
    this.#idByPath.delete(path);
    await rm(this.#fileOf(id), { force: true });
    await this.#write();
  }

  /** Why the disk was quarantined, until the operator releases it. */
  async quarantineOf(id: string): Promise<CodedError | undefined> {
    const text = await readIfPresent(this.#fileOf(id));
    if (text === undefined) return undefined;
    const { code, detail } = parseJsonAs(Quarantine, text.toString('utf8'), {
      what: this.#fileOf(id),
      code: 'STORE_CORRUPT',
    });
    return coded(isProblemCode(code) ? code : 'DISK_FAILED', detail);
  }

  async quarantine(id: string, why: Quarantine): Promise<void> {
    await replaceFile(this.#fileOf(id), `${JSON.stringify(why, undefined, 2)}\n`);
  }

  #fileOf(id: string): string {
    return join(this.#quarantinePath, `${id}.json`);
  }

  #write(): Promise<void> {
    const write = async (): Promise<void> => {
      const known = [...this.#idByPath].map(([path, id]) => ({ path, id }));
      await replaceFile(this.#path, `${JSON.stringify(known, undefined, 2)}\n`);
    };
    this.#writing = this.#writing.then(write, write);
    return this.#writing;
  }
}
