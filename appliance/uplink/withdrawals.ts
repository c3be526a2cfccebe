import { documentTypes, type FillManifest, type Revocations } from '../../common/contract/documents.ts';
import { receiptAudience, type WithdrawalReceipt } from '../../common/contract/withdrawals.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { coded } from '../../common/runtime/errors.ts';
import type { Identity } from '../../common/runtime/identity.ts';
import type { SigningKey } from '../../common/runtime/keys.ts';
import type { Component } from '../../common/runtime/lifecycle.ts';
import type { Log } from '../../common/runtime/log.ts';
import { signDocument } from '../../common/runtime/signed-documents.ts';
import { isOver, Wakeup } from '../fill/wakeup.ts';
import type { SharedStore } from '../pull/shared-store.ts';
import type { FileStore } from '../store/file-store.ts';
import type { ControlLink } from './control-link.ts';

export interface WithdrawalsOptions {
  /** Absent at an origin, which holds no files of its own. */
  store: Pick<FileStore, 'held' | 'partial' | 'remove' | 'onChange'> | undefined;
  /** Gives up a download and its bytes, whoever works on it. */
  drop: (file: string) => Promise<void>;
  /** The box's own key. */
  key: SigningKey;
  /** Delivers a signed receipt; a repeat changes nothing. Errors are the uplink's. */
  send: (jws: string, signal: AbortSignal) => Promise<void>;
  clock: Clock;
  chance: Chance;
  log: Log;
}

/** A withdrawal that this process has been told of. */
interface Task {
  readonly sequence: number;
  readonly files: readonly string[];
  deletedFiles: number;
  deletedBytes: number;
  /** Everything is gone and the control plane knows, or is being told. */
  confirmed: boolean;
}

const retryMs = 2000;
const idleMs = 60_000;
const signatureLifeMs = 3_600_000;

/**
 * Deletes what the control plane has withdrawn, whenever it turns up, and confirms each withdrawal by a receipt that the
 * box signs. It does so anew after each start: nothing needs to be remembered.
 */
export class Withdrawals {
  readonly #options: WithdrawalsOptions;
  readonly #wakeup: Wakeup;
  #tasks = new Map<string, Task>();
  #withdrawn: ReadonlySet<string> = new Set();

  constructor(options: WithdrawalsOptions) {
    this.#options = options;
    this.#wakeup = new Wakeup(options.clock);
    options.store?.onChange(({ kind, file }) => {
      // A transfer that was ending when it was withdrawn, or a disk that came back.
      if (kind === 'added' && this.#withdrawn.has(file)) this.#reopen(file);
    });
  }

  /** Takes the list in force; what is no longer on it may be held again. */
  set(sequence: number, { withdrawals = [] }: Revocations): void {
    const before = this.#tasks;
    this.#tasks = new Map(
      withdrawals.map(({ withdrawal, files }) => [
        withdrawal,
        before.get(withdrawal) ?? newTask(sequence, files),
      ]),
    );
    this.#withdrawn = new Set(withdrawals.flatMap(({ files }) => files));
    this.#wakeup.notify();
  }

  /** A manifest without what was withdrawn: it may be older than the withdrawal. */
  allowed(manifest: FillManifest): FillManifest {
    const withdrawn = this.#withdrawn;
    if (withdrawn.size === 0) return manifest;
    return { ...manifest, files: manifest.files.filter(({ file }) => !withdrawn.has(file)) };
  }

  /** Deletes and confirms until the signal ends it. */
  async run(signal: AbortSignal): Promise<void> {
    const { log, chance } = this.#options;
    while (!signal.aborted) {
      const open = [...this.#tasks].filter(([, task]) => !task.confirmed);
      for (const [id, task] of open) {
        // Before the work: what turns up in the middle of it opens the task again.
        task.confirmed = true;
        try {
          await this.#delete(task);
          await this.#confirm(id, task, signal);
        } catch (error) {
          task.confirmed = false;
          if (isOver(signal)) return;
          log.warn({ err: error, withdrawal: id }, 'a withdrawal is not confirmed yet');
        }
      }
      if (open.length === 0) await this.#wakeup.wait(idleMs, signal);
      // One that fails does not hold the others, and is tried again after a while.
      else if (open.some(([, task]) => !task.confirmed))
        await this.#wakeup.wait(retryMs * (0.5 + chance.fraction()), signal);
    }
  }

  #reopen(file: string): void {
    for (const task of this.#tasks.values()) if (task.files.includes(file)) task.confirmed = false;
    this.#wakeup.notify();
  }

  async #delete(task: Task): Promise<void> {
    const { store, drop } = this.#options;
    if (store === undefined) return;
    // A file that another list has taken back meanwhile stays.
    const files = task.files.filter((file) => this.#withdrawn.has(file));
    for (const file of files) {
      const held = store.held.get(file);
      if (store.partial.has(file)) await drop(file);
      if (held === undefined) continue;
      await store.remove(file);
      task.deletedFiles++;
      task.deletedBytes += held.sizeBytes;
    }
    const left = files.filter((file) => store.held.has(file) || store.partial.has(file));
    if (left.length > 0) throw coded('CONFLICT', `${left.length} files came back while they were deleted`);
  }

  async #confirm(withdrawal: string, task: Task, signal: AbortSignal): Promise<void> {
    const { key, clock, send, log } = this.#options;
    const nowMs = Math.round(clock.nowMs());
    const { deletedFiles, deletedBytes } = task;
    const body: WithdrawalReceipt = { withdrawal, deletedFiles, deletedBytes, doneAtMs: nowMs };
    const times = { issuedAtMs: nowMs, notAfterMs: nowMs + signatureLifeMs };
    const document = { audience: receiptAudience, sequence: task.sequence, ...times, body };
    await send(await signDocument(documentTypes.withdrawalReceipt, document, key), signal);
    log.info({ withdrawal, deletedFiles, deletedBytes }, 'a withdrawal is carried out');
  }
}

/** The withdrawals of a box: signed by its key, told over its link. */
export function createWithdrawals(
  options: Omit<WithdrawalsOptions, 'key' | 'send' | 'drop' | 'store'> & {
    store: FileStore | undefined;
    /** Through which downloads go, where viewers have them too. */
    shared: Pick<SharedStore, 'drop'> | undefined;
    identity: Pick<Identity, 'key'>;
    link: Pick<ControlLink, 'withdrawalReceipt'>;
  },
): Withdrawals {
  const { store, shared, identity, link, clock, chance, log } = options;
  return new Withdrawals({
    ...{ store, key: identity.key, clock, chance, log },
    drop: async (file) => (shared === undefined ? store?.discard(file) : shared.drop(file)),
    send: (jws, signal) => link.withdrawalReceipt(jws, signal),
  });
}

/** Runs it; it outlasts a drain, which may last longer than a withdrawal may wait. */
export function withdrawalsComponent(withdrawals: Withdrawals): Component {
  let done: Promise<unknown> | undefined;
  return {
    name: 'withdrawals',
    start({ signal, crash }) {
      done = withdrawals.run(signal).catch(crash);
    },
    async stop() {
      await done;
    },
  };
}

function newTask(sequence: number, files: readonly string[]): Task {
  return { sequence, files, deletedFiles: 0, deletedBytes: 0, confirmed: false };
}
