import type { Collection } from '../../../common/adapters/records/collection.ts';
import type { Blobs } from '../../../common/adapters/blobs/port.ts';
import type { Records } from '../../../common/adapters/records/port.ts';
import { contentKey, descriptorKey } from '../../../common/core/file-keys.ts';
import { playExpiryS } from '../../../common/core/tokens/delivery-token.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { createListeners, type Listeners } from '../listeners.ts';
import type { CatalogBundle } from './ports.ts';
import { openDepartureRecords, type DepartureRecord } from './records.ts';

/** A bundle that is let go of. `heldMs`: how long boxes are to hold it yet. */
export type Departure = Pick<DepartureRecord, 'titleId' | 'name' | 'of' | 'bundle' | 'files' | 'pinned'> & {
  readonly heldMs: number;
};

/** A bundle that boxes are to hold until then. */
export type HeldBundle = CatalogBundle & Pick<DepartureRecord, 'heldUntilMs'>;

interface DeparturesDependencies {
  readonly clock: Clock;
  readonly blobs: Blobs;
  readonly log: Log;
}

const hourMs = 3_600_000;
/** What clocks are off by, and how long a session takes to be made. */
const spareMs = hourMs;
/** How long after boxes were told to delete it a bundle stays in blobs: whoever is in the middle of fetching it ends or gives up. */
const removedAfterMs = hourMs;
/** What was watched of a bundle of before says what will be of the one after it for so long: five half-lives of popularity. */
const inheritedMs = 180 * hourMs;
/** Longer than any token, its spare and what follows: what a clock that was ahead has dated to come is not held for years. */
const heldMsMax = 27 * hourMs;
/** How many of one title may be on their way out. */
const ofTitleMax = { title: 10, artwork: 100 };

/** How long a token for a bundle may be in use after the last was made. */
export function videoHeldMs({ durationMs }: { readonly durationMs: number }): number {
  return playExpiryS(durationMs, 0) * 1000 + spareMs;
}

/** The same of a picture's (ADR 32). */
export const pictureHeldMs = 24 * hourMs + spareMs;

/**
 * Bundles on their way out: held by boxes until no token for them can be in use, then in no plan and no map, and an hour later removed from
 * blobs, files that anything else is made of aside. All in memory and each written through.
 */
export class Departures {
  readonly #deps: DeparturesDependencies;
  readonly #collection: Collection<DepartureRecord>;
  readonly #byTitle = new Map<string, Map<string, DepartureRecord>>();
  /** What boxes were last told to hold. */
  #told = new Set<string>();
  /** Grows with each removal of files. */
  #removals = 0;
  /** Hears that what is held has changed. */
  readonly changes: Listeners<undefined> = createListeners();

  private constructor(records: Records, deps: DeparturesDependencies) {
    this.#collection = openDepartureRecords(records);
    this.#deps = deps;
  }

  /** Reads all of them. */
  static async open(deps: DeparturesDependencies & { readonly records: Records }): Promise<Departures> {
    const departures = new Departures(deps.records, deps);
    for await (const { value } of departures.#collection.all()) departures.#keep(value);
    departures.#told = new Set(departures.#held().map(keyOf));
    return departures;
  }

  /** How often files were removed: what was found in blobs before the last time may be there no more. */
  get removals(): number {
    return this.#removals;
  }

  /** Errors: OVERLOADED while so many of a title's bundles are on their way out. */
  checkRoom(titleId: string, of: DepartureRecord['of']): void {
    const count = this.ofTitle(titleId).filter((one) => one.of === of && !one.removed).length;
    if (count >= ofTitleMax[of])
      throw coded(
        'OVERLOADED',
        `${count} earlier ${of === 'title' ? 'videos' : 'pictures'} of the title are held for those who play them yet; try again tomorrow`,
      );
  }

  /** Notes that a bundle is about to be let go of. Again, it is held for as long as is asked for now. */
  async note({ heldMs, ...of }: Departure): Promise<void> {
    const nowMs = this.#deps.clock.nowMs();
    await this.#put({ version: 1, ...of, departedAtMs: nowMs, heldUntilMs: nowMs + heldMs, removed: false });
    this.#tell();
  }

  /** For how long boxes are to hold a bundle of a title yet, in ms; 0 where it has not left. */
  leftMs(titleId: string, bundle: string): number {
    const one = this.#byTitle.get(titleId)?.get(bundle);
    return one !== undefined && this.#isHeld(one) ? one.heldUntilMs - this.#deps.clock.nowMs() : 0;
  }

  /** Has boxes hold these bundles no more, whatever they are of: their tokens are refused. */
  async release(bundles: ReadonlySet<string>): Promise<void> {
    const nowMs = this.#deps.clock.nowMs();
    for (const one of this.#all()) {
      if (bundles.has(one.bundle) && this.#isHeld(one)) await this.#put({ ...one, heldUntilMs: nowMs });
    }
    this.#tell();
  }

  /** Of a title and its pictures. */
  ofTitle(titleId: string): DepartureRecord[] {
    return [...(this.#byTitle.get(titleId)?.values() ?? [])];
  }

  /** What boxes are to hold yet, the most recent first. */
  held(of: DepartureRecord['of'], titleId?: string): HeldBundle[] {
    const found = titleId === undefined ? this.#held() : this.ofTitle(titleId);
    return found
      .filter((one) => one.of === of && this.#isHeld(one))
      .sort((a, b) => b.departedAtMs - a.departedAtMs)
      .map((one) => ({
        ...{ titleId: one.titleId, name: one.name, pinned: one.pinned, urgent: false },
        ...{ bundle: one.bundle, files: one.files },
        sizeBytes: one.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
        heldUntilMs: one.heldUntilMs,
      }));
  }

  /**
   * Tells of what is held no more and removes what may go, but for files that are `used`. Not while a bundle is being published under the
   * same turn: see `EncodeQueue`.
   */
  async sweep(used: () => ReadonlySet<string>): Promise<void> {
    const nowMs = this.#deps.clock.nowMs();
    this.#tell();
    const due = this.#all().filter(
      (one) => !one.removed && hasCome(one.heldUntilMs + removedAfterMs, nowMs, heldMsMax),
    );
    if (due.length > 0) await this.#remove(due, used());
    for (const one of this.#all()) {
      const isInherited = one.of === 'title' && !hasCome(one.departedAtMs + inheritedMs, nowMs, inheritedMs);
      if (one.removed && !isInherited) await this.#forget(one);
    }
  }

  async #remove(due: readonly DepartureRecord[], used: ReadonlySet<string>): Promise<void> {
    const { blobs, log } = this.#deps;
    // What others that leave are made of stays as long as they do.
    const leaving = this.#all().filter((one) => !one.removed && !due.includes(one));
    const kept = new Set(leaving.flatMap(({ files }) => files.map(({ file }) => file)));
    for (const one of due) {
      const gone = one.files.filter(({ file }) => !used.has(file) && !kept.has(file));
      try {
        // The bundle's own comes first: who can read it can read everything that it lists.
        for (const { file } of gone) {
          await blobs.remove(contentKey(file));
          await blobs.remove(descriptorKey(file));
        }
        await this.#put({ ...one, removed: true });
        log.info({ titleId: one.titleId, bundle: one.bundle, files: gone.length }, 'a bundle was removed');
      } catch (error) {
        log.warn(
          { titleId: one.titleId, bundle: one.bundle, err: error },
          'a bundle could not be removed from blobs; tried again in a minute',
        );
      } finally {
        // Not before: who finds a file that goes a moment later is to look again.
        this.#removals++;
      }
    }
  }

  #tell(): void {
    const held = new Set(this.#held().map(keyOf));
    if (held.symmetricDifference(this.#told).size === 0) return;
    this.#told = held;
    this.changes.tell(undefined);
  }

  #held(): DepartureRecord[] {
    return this.#all().filter((one) => this.#isHeld(one));
  }

  #isHeld({ heldUntilMs }: DepartureRecord): boolean {
    return !hasCome(heldUntilMs, this.#deps.clock.nowMs(), heldMsMax);
  }

  #all(): DepartureRecord[] {
    return [...this.#byTitle.values()].flatMap((ofTitle) => [...ofTitle.values()]);
  }

  async #put(record: DepartureRecord): Promise<void> {
    await this.#collection.put(keyOf(record), record);
    this.#keep(record);
  }

  async #forget(record: DepartureRecord): Promise<void> {
    await this.#collection.remove(keyOf(record));
    const ofTitle = this.#byTitle.get(record.titleId);
    ofTitle?.delete(record.bundle);
    if (ofTitle?.size === 0) this.#byTitle.delete(record.titleId);
  }

  #keep(record: DepartureRecord): void {
    const ofTitle = this.#byTitle.get(record.titleId) ?? new Map<string, DepartureRecord>();
    ofTitle.set(record.bundle, record);
    this.#byTitle.set(record.titleId, ofTitle);
  }
}

/** Whether a time has come, or is further away than it may be. */
function hasCome(atMs: number, nowMs: number, aheadMsMax: number): boolean {
  return nowMs >= atMs || atMs > nowMs + aheadMsMax;
}

function keyOf({ titleId, bundle }: DepartureRecord): string {
  return `${titleId}/${bundle}`;
}
