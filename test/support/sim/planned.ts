import assert from 'node:assert/strict';

import { planFill as diffFill, type HeldFile, type WantedFile } from '../../../appliance/core/fill-diff.ts';
import { hashText, type HashPair } from '../../../common/core/rendezvous.ts';
import { buildCatalog, rank, type PlacementCatalog } from '../../../control-plane/core/placement/catalog.ts';
import { placeCluster, type ClusterSettings } from '../../../control-plane/core/placement/place-cluster.ts';
import type { HalfLives } from '../../../control-plane/core/popularity.ts';
import { rungCount, sliceMinutes, slicesMax, type Catalogue } from './catalogue.ts';
import { slotsPerDay, type Demand } from './demand.ts';
import { PopularityFeed } from './popularity-feed.ts';
import { victimsOf } from './evict.ts';
import type { HitOptions, Tally } from './reactive.ts';

/** How a planned fill goes. */
export interface PlannedOptions extends HitOptions {
  /** Share of a box's capacity that a night may change. */
  readonly churnShare: number;
  /** What a box may fill with. */
  readonly capBytesPerSecond: number;
  readonly placement: ClusterSettings;
  /** Hours between two plans in the fill window; the first is at its opening. */
  readonly planHours: number;
  readonly halfLives: HalfLives;
}

/** Open Connect's window. */
const window = { fromHour: 2, toHour: 14 };
/** The boxes come preloaded, after a day from which something is known. */
const preloadDay = 1;
const slotsPerHour = slotsPerDay / 24;
const slotSeconds = sliceMinutes * 60;

/**
 * Sites of boxes that hold what the control plane's placement chooses and fetch nothing else. A plan knows what was served before it, of
 * all sites, and launches by their forecast; fills take the time that the cap gives them. A file is held once it is whole.
 */
export function runPlanned(demand: Demand, options: PlannedOptions): Tally {
  return new PlannedRun(demand, options).run();
}

/** A file on its way. */
interface Fetch {
  readonly file: number;
  leftBytes: number;
}

interface Box {
  readonly hash: HashPair;
  readonly held: Set<number>;
  queue: Fetch[];
  /** What may still change tonight. */
  churnBytes: number;
}

interface Site {
  readonly boxes: readonly Box[];
  /** By file: how many boxes hold it. */
  readonly holders: Uint8Array;
}

class PlannedRun {
  readonly #demand: Demand;
  readonly #options: PlannedOptions;
  readonly #catalogue: Catalogue;
  readonly #names: readonly string[];
  readonly #feed: PopularityFeed;
  readonly #sites: readonly Site[];
  readonly #tally: Tally = { askedBytes: 0, hitBytes: 0, writtenBytes: 0 };
  #slot = 0;

  constructor(demand: Demand, options: PlannedOptions) {
    const { catalogue, sites } = demand;
    this.#demand = demand;
    this.#options = options;
    this.#catalogue = catalogue;
    this.#names = Array.from({ length: catalogue.fileCount }, (_, file) => `file-${file}`);
    this.#feed = new PopularityFeed({ catalogue, sites: sites.length, halfLives: options.halfLives });
    this.#sites = options.boxesBySite.map((boxes, site) => ({
      boxes: Array.from({ length: boxes }, (_, box) => newBox(`site-${site}-box-${box}`)),
      holders: new Uint8Array(catalogue.fileCount),
    }));
  }

  run(): Tally {
    const slots = this.#demand.sites[0]!.slotStarts.length - 1;
    for (; this.#slot < slots; this.#slot++) {
      this.#planAndFill();
      for (const [site, { holders }] of this.#sites.entries()) this.#serve(site, holders);
    }
    return this.#tally;
  }

  #planAndFill(): void {
    const day = Math.floor(this.#slot / slotsPerDay);
    const hour = (this.#slot % slotsPerDay) / slotsPerHour;
    if (day < preloadDay || hour < window.fromHour || hour >= window.toHour) return;
    if (hour === window.fromHour) this.#openWindow(day);
    if ((hour - window.fromHour) % this.#options.planHours === 0) this.#plan(day);
    const isPreload = day === preloadDay;
    const bytes = isPreload ? Infinity : this.#options.capBytesPerSecond * slotSeconds;
    for (const { boxes, holders } of this.#sites) {
      for (const box of boxes) this.#fill(box, holders, bytes);
    }
  }

  #openWindow(day: number): void {
    const { churnShare, boxBytes } = this.#options;
    for (const { boxes } of this.#sites) {
      for (const box of boxes) box.churnBytes = day === preloadDay ? Infinity : churnShare * boxBytes;
    }
    // What comes out tomorrow is filled today.
    for (const launch of this.#demand.launches) {
      if (launch.day === day + 1) this.#feed.launch(launch, this.#demand.playsPerViewing);
    }
  }

  #plan(day: number): void {
    const { boxBytes, placement } = this.#options;
    this.#feed.settle(this.#slot / slotsPerDay);
    const later = this.#demand.launches.filter((launch) => launch.day > day + 1).length;
    const catalog = catalogOf(this.#catalogue, this.#catalogue.titleCount - later);
    const popularity = this.#feed.popularity();
    this.#sites.forEach(({ boxes, holders }, site) => {
      const { boxes: placed } = placeCluster(catalog, {
        boxes: boxes.map(({ hash, held, queue, churnBytes }) => ({
          ...{ hash, usableBytes: boxBytes, throughput: 1, churnBytes },
          held: [...held, ...queue.map(({ file }) => file)],
        })),
        popularity: popularity[site]!,
        settings: placement,
      });
      boxes.forEach((box, index) => this.#take(box, { files: placed[index]!.files, holders }));
    });
  }

  /** A box gets its list: compares it with what it holds, makes room, and queues what is missing. */
  #take(box: Box, { files, holders }: { files: Uint32Array; holders: Uint8Array }): void {
    const { fileBytes } = this.#catalogue;
    const wanted = Array.from(files, (file): WantedFile & { number: number } => ({
      ...{ file: this.#names[file]!, ext: 'mp4', sizeBytes: fileBytes[file]!, number: file },
    }));
    const numbers = new Map(wanted.map(({ file, number }) => [file, number]));
    const held = new Map<string, HeldFile>();
    for (const file of box.held) {
      held.set(this.#names[file]!, { sizeBytes: fileBytes[file]!, disk: 0, inUse: false });
      numbers.set(this.#names[file]!, file);
    }
    const disks = [{ disk: 0, capacityBytes: this.#options.boxBytes, bytesPerSecond: undefined }];
    const diff = diffFill({
      wanted,
      held,
      disks,
      begunOn: () => undefined,
      costBytes: (sizeBytes) => sizeBytes,
    });
    for (const name of victimsOf(diff, { held, wanted: new Set(wanted.map(({ file }) => file)) })) {
      const file = numbers.get(name)!;
      box.held.delete(file);
      holders[file]!--;
    }
    const begun = new Map(box.queue.map((fetch) => [fetch.file, fetch]));
    box.queue = diff.fetch.map(({ file: name }) => {
      const file = numbers.get(name)!;
      return begun.get(file) ?? { file, leftBytes: fileBytes[file]! };
    });
    const added = box.queue.reduce((sum, { file }) => sum + (begun.has(file) ? 0 : fileBytes[file]!), 0);
    box.churnBytes -= added;
    const heldBytes = [...box.held].reduce((sum, file) => sum + fileBytes[file]!, 0);
    const queuedBytes = box.queue.reduce((sum, { file }) => sum + fileBytes[file]!, 0);
    assert(heldBytes + queuedBytes <= this.#options.boxBytes, 'a box is to hold more than its capacity');
  }

  #fill(box: Box, holders: Uint8Array, bytesMax: number): void {
    let bytes = bytesMax;
    while (bytes > 0) {
      const fetch = box.queue[0];
      if (fetch === undefined) return;
      const taken = Math.min(bytes, fetch.leftBytes);
      fetch.leftBytes -= taken;
      bytes -= taken;
      if (this.#counts()) this.#tally.writtenBytes += taken;
      if (fetch.leftBytes > 0) return;
      box.queue.shift();
      box.held.add(fetch.file);
      holders[fetch.file]!++;
    }
  }

  #serve(site: number, holders: Uint8Array): void {
    const { slices, slotStarts } = this.#demand.sites[site]!;
    const { sliceBytes } = this.#catalogue;
    const counts = this.#counts();
    const tally = this.#tally;
    for (let at = slotStarts[this.#slot]!; at < slotStarts[this.#slot + 1]!; at++) {
      const slice = slices[at]!;
      const bytes = sliceBytes[slice]!;
      const file = Math.floor(slice / slicesMax);
      const isOwn = holders[file]! > 0;
      this.#feed.served({ site, file, bytes, isOwn });
      if (!counts) continue;
      tally.askedBytes += bytes;
      if (isOwn) tally.hitBytes += bytes;
    }
  }

  #counts(): boolean {
    return this.#slot >= this.#options.countFromSlot;
  }
}

function newBox(id: string): Box {
  return { hash: hashText(id), held: new Set(), queue: [], churnBytes: 0 };
}

/** The first titles as placement takes them: a bundle each, with a file for each rendition. */
function catalogOf({ fileBytes }: Catalogue, titleCount: number): PlacementCatalog {
  const fileCount = titleCount * rungCount;
  return buildCatalog({
    bundles: Array.from({ length: titleCount }, (_, title) => ({
      bundle: `title-${title}`,
      rank: rank.none,
    })),
    fileBytes: fileBytes.slice(0, fileCount),
    starts: Uint32Array.from({ length: titleCount + 1 }, (_, title) => title * rungCount),
    memberFiles: Uint32Array.from({ length: fileCount }, (_, file) => file),
  });
}
