import type { SyncedLog } from '../../common/adapters/shared/wal-sync.ts';

/** A disk whose syncs end when the test says so. */
export class HeldLog implements SyncedLog {
  readonly begun: PromiseWithResolvers<void>[] = [];
  isClosed = false;
  #next = Promise.withResolvers<void>();

  datasync(): Promise<void> {
    const sync = Promise.withResolvers<void>();
    this.begun.push(sync);
    this.#next.resolve();
    this.#next = Promise.withResolvers();
    return sync.promise;
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }

  /** The sync of this number, from 0 on, once it is begun. */
  async sync(number: number): Promise<PromiseWithResolvers<void>> {
    for (;;) {
      const found = this.begun[number];
      if (found !== undefined) return found;
      await this.#next.promise;
    }
  }
}
