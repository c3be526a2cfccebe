import type { Collection } from '../../../common/adapters/records/collection.ts';
import type { Records } from '../../../common/adapters/records/port.ts';
import type { ArtworkKind } from '../../../common/contract/artwork.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { createListeners, type Listeners } from '../listeners.ts';
import { createTurns } from '../turns.ts';
import { openArtworkRecords, type ArtworkRecord } from './records.ts';

/** What of a title a picture is: nothing else has the same. */
export interface ArtworkSlot {
  readonly titleId: string;
  readonly kind: ArtworkKind;
  readonly language?: string | undefined;
}

/** Of a title, all languages and those that are being made counted. */
const ofTitleMax = 100;

/** The pictures of titles, all in memory and each written through. Changes are made one after another. */
export class ArtworkShelf {
  readonly #collection: Collection<ArtworkRecord>;
  readonly #artwork = new Map<string, ArtworkRecord>();
  readonly #byTitle = new Map<string, Set<string>>();
  readonly #byJob = new Map<string, string>();
  readonly #inTurn = createTurns();
  /** Hears that what is made has changed: which pictures there are, and of what. */
  readonly changes: Listeners<undefined> = createListeners();

  private constructor(collection: Collection<ArtworkRecord>) {
    this.#collection = collection;
  }

  /** Reads every picture. */
  static async open(records: Records): Promise<ArtworkShelf> {
    const shelf = new ArtworkShelf(openArtworkRecords(records));
    for await (const { value } of shelf.#collection.all()) shelf.#keep(value);
    return shelf;
  }

  all(): readonly ArtworkRecord[] {
    return [...this.#artwork.values()];
  }

  find(id: string): ArtworkRecord | undefined {
    return this.#artwork.get(id);
  }

  /** Errors: ARTWORK_UNKNOWN. */
  get(id: string): ArtworkRecord {
    const found = this.find(id);
    if (found === undefined) throw coded('ARTWORK_UNKNOWN', `${id}; see the artwork of its title`);
    return found;
  }

  ofJob(jobId: string): ArtworkRecord | undefined {
    const id = this.#byJob.get(jobId);
    return id === undefined ? undefined : this.find(id);
  }

  /** A title's, oldest first. */
  ofTitle(titleId: string): ArtworkRecord[] {
    return [...(this.#byTitle.get(titleId) ?? [])]
      .map((id) => this.get(id))
      .sort((a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1));
  }

  /** What stands in a slot, oldest first. */
  inSlot({ titleId, kind, language }: ArtworkSlot): ArtworkRecord[] {
    return this.ofTitle(titleId).filter((one) => one.kind === kind && one.language === language);
  }

  /** Errors: OVERLOADED when the title has as many as it may. */
  async add(artwork: ArtworkRecord): Promise<void> {
    await this.#inTurn(async () => {
      if ((this.#byTitle.get(artwork.titleId)?.size ?? 0) >= ofTitleMax)
        throw coded('OVERLOADED', `the title has ${ofTitleMax} pictures; remove some first`);
      await this.#write(artwork);
    });
  }

  /** Changes one as it is by then. Errors: ARTWORK_UNKNOWN. */
  async change(id: string, change: (artwork: ArtworkRecord) => ArtworkRecord): Promise<ArtworkRecord> {
    return await this.#inTurn(async () => {
      const next = change(this.get(id));
      await this.#write(next);
      return next;
    });
  }

  /** Removes one if it is there; gives it as it was at the last. */
  async remove(id: string): Promise<ArtworkRecord | undefined> {
    return await this.#inTurn(async () => {
      const held = this.find(id);
      if (held === undefined) return undefined;
      await this.#collection.remove(id);
      this.#artwork.delete(id);
      if (held.job !== undefined) this.#byJob.delete(held.job.jobId);
      const siblings = this.#byTitle.get(held.titleId);
      siblings?.delete(id);
      if (siblings?.size === 0) this.#byTitle.delete(held.titleId);
      if (held.bundle !== undefined) this.changes.tell(undefined);
      return held;
    });
  }

  async #write(artwork: ArtworkRecord): Promise<void> {
    const before = this.find(artwork.id);
    await this.#collection.put(artwork.id, artwork);
    this.#keep(artwork);
    if (before?.bundle !== artwork.bundle) this.changes.tell(undefined);
  }

  #keep(artwork: ArtworkRecord): void {
    const { id, titleId, job } = artwork;
    this.#artwork.set(id, artwork);
    this.#byTitle.set(titleId, (this.#byTitle.get(titleId) ?? new Set()).add(id));
    if (job !== undefined) this.#byJob.set(job.jobId, id);
  }
}
