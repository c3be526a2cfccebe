import type { Blobs } from '../../../common/adapters/blobs/port.ts';
import type { BackupList, BackupView, BackupWork } from '../../../common/contract/backups.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded, toProblem } from '../../../common/runtime/errors.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { makeBackup } from './make-backup.ts';
import { backupOf, backupPrefix } from './names.ts';
import type { Snapshots } from './ports.ts';

export interface BackupsOptions {
  snapshots: Snapshots;
  dataDir: string;
  /** Whose records these are: others may keep their backups in the same place. */
  services: readonly string[];
  /** Opens where backups are kept; asked when it is first needed, so that a place that is away keeps nothing from starting. */
  openBlobs: () => Promise<Blobs>;
  passphrase: string | undefined;
  /** How many are kept; the oldest go when another has been made. */
  keep: number;
  /** How often one is made without being asked for; never where it is undefined. */
  everyMs: number | undefined;
  program: string;
  clock: Clock;
  log: Log;
}

/** Makes backups of all records and keys, and keeps the latest. */
export interface Backups {
  /** Begins one. CONFLICT while another is being made. */
  begin(): BackupWork;
  /** What is kept, the latest first, and how far the one that is being made has come. Errors of the blobs. */
  list(): Promise<BackupList>;
  /** Makes one when it is time, until the signal. */
  start(signal: AbortSignal): void;
  /** Gives up what is being made. */
  stop(): Promise<void>;
}

const listedAtOnce = 1000;
/** Of whatever lies in the same place no more is looked through. */
const pagesMax = 20;
// Clocks are set and machines sleep: what is due is looked at now and then.
const lookEveryMs = 60_000;
const tryAgainMs = 10 * 60_000;

/** Opens the backups. */
export function createBackups(options: BackupsOptions): Backups {
  return new KeptBackups(options);
}

class KeptBackups implements Backups {
  readonly #options: BackupsOptions;
  readonly #stopping = new AbortController();
  #work: BackupWork | undefined;
  #making: Promise<void> | undefined;
  #watching: Promise<void> | undefined;
  #opened: Promise<Blobs> | undefined;

  constructor(options: BackupsOptions) {
    this.#options = options;
  }

  begin(): BackupWork {
    if (this.#making !== undefined) throw coded('CONFLICT', 'a backup is being made; wait for its end');
    const work: BackupWork = { state: 'running', startedAtMs: this.#options.clock.nowMs(), fraction: 0 };
    this.#work = work;
    this.#making = this.#make(work).finally(() => {
      this.#making = undefined;
    });
    return { ...work };
  }

  async list(): Promise<BackupList> {
    const backups = await this.#kept();
    return { backups: backups.reverse(), ...(this.#work !== undefined && { work: { ...this.#work } }) };
  }

  start(outer: AbortSignal): void {
    const { everyMs } = this.#options;
    const signal = AbortSignal.any([outer, this.#stopping.signal]);
    if (everyMs !== undefined) this.#watching = this.#watch(everyMs, signal);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#watching;
    await this.#making;
  }

  async #watch(everyMs: number, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    while (!signal.aborted) {
      let waitMs = lookEveryMs;
      try {
        const last = (await this.#kept()).at(-1);
        if (last === undefined || clock.nowMs() - last.takenAtMs >= everyMs) {
          if (this.#making === undefined) this.begin();
          await this.#making;
          if (this.#work?.state === 'failed') waitMs = tryAgainMs;
        }
      } catch (error) {
        log.error({ err: error }, 'the backups cannot be listed');
        waitMs = tryAgainMs;
      }
      await clock.sleep(waitMs, { signal }).catch(() => undefined);
    }
  }

  /** Makes one and says in `work` how it goes; never rejects. */
  async #make(work: BackupWork): Promise<void> {
    const { log } = this.#options;
    try {
      const backup = await makeBackup({
        ...this.#options,
        blobs: await this.#blobs(),
        onProgress: (fraction) => {
          work.fraction = Math.max(0, Math.min(1, fraction));
        },
        signal: this.#stopping.signal,
      });
      Object.assign(work, { state: 'done', fraction: 1, backup });
      log.info({ name: backup.name, sizeBytes: backup.sizeBytes }, 'backup made');
      await this.#dropOld();
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      log.error({ err: error }, 'the backup failed');
      const { code, detail = '' } = toProblem(error);
      if (work.state === 'running') Object.assign(work, { state: 'failed', failure: { code, detail } });
    }
  }

  async #dropOld(): Promise<void> {
    const kept = await this.#kept();
    const blobs = await this.#blobs();
    for (const { name } of kept.slice(0, Math.max(0, kept.length - this.#options.keep)))
      await blobs.remove(name);
  }

  /** The oldest first. */
  async #kept(): Promise<BackupView[]> {
    const { services } = this.#options;
    const blobs = await this.#blobs();
    const kept: BackupView[] = [];
    let after: string | undefined;
    for (let page = 0; page < pagesMax; page++) {
      const found = await blobs.list(backupPrefix, { after, limit: listedAtOnce });
      kept.push(...found.flatMap((entry) => backupOf(services, entry) ?? []));
      if (found.length < listedAtOnce) break;
      after = found.at(-1)?.key;
    }
    return kept.sort((a, b) => a.takenAtMs - b.takenAtMs);
  }

  #blobs(): Promise<Blobs> {
    this.#opened ??= this.#options.openBlobs().catch((error: unknown) => {
      this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }
}
