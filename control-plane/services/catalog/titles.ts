import type { Collection } from '../../../common/adapters/records/collection.ts';
import type { Records } from '../../../common/adapters/records/port.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { createListeners, type Listeners } from '../listeners.ts';
import { createTurns } from '../turns.ts';
import type { CatalogBundle } from './ports.ts';
import { openTitleRecords, type TitleRecord } from './records.ts';

export interface TitleChange {
  readonly before: TitleRecord | undefined;
  readonly after: TitleRecord;
}

/**
 * The titles, all in memory and each written through: what is read here is on the disk. Changes are made one after
 * another, each upon what the one before has left.
 */
export class Titles {
  readonly #collection: Collection<TitleRecord>;
  readonly #titles = new Map<string, TitleRecord>();
  readonly #byJob = new Map<string, string>();
  readonly #titlesMax: number;
  readonly #inTurn = createTurns();
  /** Hears of each title that was added or changed. */
  readonly changes: Listeners<TitleChange> = createListeners();

  private constructor(collection: Collection<TitleRecord>, titlesMax: number) {
    this.#collection = collection;
    this.#titlesMax = titlesMax;
  }

  /** Reads every title. */
  static async open(records: Records, { titlesMax }: { titlesMax: number }): Promise<Titles> {
    const titles = new Titles(openTitleRecords(records), titlesMax);
    for await (const { value } of titles.#collection.all()) titles.#keep(value);
    return titles;
  }

  /** Every title, oldest first. */
  all(): TitleRecord[] {
    return [...this.#titles.values()].sort((a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1));
  }

  /** Titles in one of these phases, in no order. */
  in(...phases: readonly TitleRecord['phase'][]): TitleRecord[] {
    return [...this.#titles.values()].filter(({ phase }) => phases.includes(phase));
  }

  find(id: string): TitleRecord | undefined {
    return this.#titles.get(id);
  }

  /** Errors: TITLE_UNKNOWN. */
  get(id: string): TitleRecord {
    const title = this.find(id);
    if (title === undefined) throw coded('TITLE_UNKNOWN', `${id}; see the list of titles`);
    return title;
  }

  /** The title that a job is of. Errors: JOB_UNKNOWN. */
  ofJob(jobId: string): TitleRecord {
    const id = this.#byJob.get(jobId);
    if (id === undefined) throw coded('JOB_UNKNOWN', jobId);
    return this.get(id);
  }

  /** Errors: OVERLOADED when there are as many as may be. */
  async add(title: TitleRecord): Promise<void> {
    await this.#inTurn(async () => {
      if (this.#titles.size >= this.#titlesMax) {
        throw coded('OVERLOADED', `there are ${this.#titlesMax} titles, which is the configured most`);
      }
      await this.#write(title);
    });
  }

  /**
   * Changes a title: `change` is given it as it is and answers what it shall be, or throws. Gives what it is now.
   */
  async change(id: string, change: (title: TitleRecord) => TitleRecord): Promise<TitleRecord> {
    return await this.#inTurn(async () => {
      const next = change(this.get(id));
      await this.#write(next);
      return next;
    });
  }

  async #write(title: TitleRecord): Promise<void> {
    const before = this.#titles.get(title.id);
    await this.#collection.put(title.id, title);
    this.#keep(title);
    this.changes.tell({ before, after: title });
  }

  #keep(title: TitleRecord): void {
    this.#titles.set(title.id, title);
    if (title.job !== undefined) this.#byJob.set(title.job.jobId, title.id);
  }
}

/** The bundle of a title that has one, as others need it. */
export function catalogBundle({
  id,
  name,
  pinned,
  urgent = false,
  forecast,
  bundle,
}: TitleRecord): CatalogBundle | undefined {
  if (bundle === undefined) return undefined;
  const sizeBytes = bundle.files.reduce((sum, file) => sum + file.sizeBytes, 0);
  return {
    ...{ titleId: id, name, pinned, urgent, bundle: bundle.bundle, files: bundle.files, sizeBytes },
    ...(forecast !== undefined && { forecast: { ...forecast, renditions: bundle.renditions.length } }),
  };
}
