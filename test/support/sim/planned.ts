import assert from 'node:assert/strict';

import { hashText, type HashPair } from '../../../common/core/rendezvous.ts';
import { buildCatalog, rank, type PlacementCatalog } from '../../../control-plane/core/placement/catalog.ts';
import { offeredBundles } from '../../../control-plane/core/placement/offered.ts';
import { placeCluster, type ClusterSettings } from '../../../control-plane/core/placement/place-cluster.ts';
import { rungCount, sliceMinutes, slicesMax, type Catalogue } from './catalogue.ts';
import { slotsPerDay, type Demand } from './demand.ts';
import { PopularityFeed } from './popularity-feed.ts';
import type { HitOptions, Tally } from './reactive.ts';

/** How a planned fill goes. */
export interface PlannedOptions extends HitOptions {
  /** Share of a box's capacity that a night may change. */
  readonly churnShare: number;
  /** What a box may fill with. */
  readonly capBytesPerSecond: number;
  /** With `ladderWorth` 0 boxes lead viewers on for what they do not hold; else a box is a way only to titles that it holds whole. */
  readonly placement: ClusterSettings;
  /** Hours between two plans in the fill window; the first is at its opening. */
  readonly planHours: number;
}

/** Open Connect's window. */
const window = { fromHour: 2, toHour: 14 };
/** The boxes come preloaded, after a day from which something is known. */
const preloadDay = 1;
const slotsPerHour = slotsPerDay / 24;
const slotSeconds = sliceMinutes * 60;

/**
 * Sites of boxes that hold what the control plane's placement chooses and fetch nothing else. A plan knows the sessions that have begun
 * and what was served before it, and launches by their forecast; fills take the time that the cap gives them. A file is
 * held once it is whole, and room is made for it when it begins.
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
  /** Files with the slot in which they were last served: what no list names goes in this order. */
  readonly held: Map<number, number>;
  wanted: ReadonlySet<number>;
  /** Titles to which the box may be a way, with those of their files that it is to hold. */
  ladders: ReadonlyMap<number, readonly number[]>;
  queue: Fetch[];
  /** Of files that are held, and of what is on its way the whole. */
  usedBytes: number;
  /** What may still change tonight. */
  churnBytes: number;
}

class PlannedRun {
  readonly #demand: Demand;
  readonly #options: PlannedOptions;
  readonly #catalogue: Catalogue;
  readonly #feed: PopularityFeed;
  /** The boxes of each site. */
  readonly #sites: readonly (readonly Box[])[];
  readonly #tally: Tally = { askedBytes: 0, hitBytes: 0, writtenBytes: 0 };
  #slot = 0;

  constructor(demand: Demand, options: PlannedOptions) {
    const { catalogue, sites } = demand;
    this.#demand = demand;
    this.#options = options;
    this.#catalogue = catalogue;
    this.#feed = new PopularityFeed({ catalogue, sites: sites.length });
    this.#sites = options.boxesBySite.map((boxes, site) =>
      Array.from({ length: boxes }, (_, box) => newBox(`site-${site}-box-${box}`)),
    );
    for (const launch of demand.launches) if (launch.day <= preloadDay) this.#feed.forecast(launch);
  }

  run(): Tally {
    const slots = this.#demand.sites[0]!.slotStarts.length - 1;
    for (; this.#slot < slots; this.#slot++) {
      this.#planAndFill();
      for (let site = 0; site < this.#sites.length; site++) this.#serve(site);
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
    for (const boxes of this.#sites) for (const box of boxes) this.#fill(box, bytes);
  }

  #openWindow(day: number): void {
    const { churnShare, boxBytes } = this.#options;
    for (const boxes of this.#sites) {
      for (const box of boxes) box.churnBytes = day === preloadDay ? Infinity : churnShare * boxBytes;
    }
    // What comes out tomorrow is filled today.
    for (const launch of this.#demand.launches) if (launch.day === day + 1) this.#feed.forecast(launch);
  }

  #plan(day: number): void {
    const { boxBytes, placement: settings } = this.#options;
    this.#feed.settle(this.#slot / slotsPerDay);
    const later = this.#demand.launches.filter((launch) => launch.day > day + 1).length;
    const catalog = catalogOf(this.#catalogue, this.#catalogue.titleCount - later);
    const leadsOn = settings.ladderWorth === 0;
    const allTitles = Array.from({ length: catalog.bundleCount }, (_, title) => title);
    this.#sites.forEach((boxes, site) => {
      const popularity = this.#feed.popularity(site).subarray(0, catalog.fileCount);
      const placement = placeCluster(catalog, {
        boxes: boxes.map(({ hash, held, queue, churnBytes }) => ({
          ...{ hash, usableBytes: boxBytes, throughput: 1, churnBytes },
          held: [...held.keys(), ...queue.map(({ file }) => file)],
        })),
        popularity,
        settings,
      });
      boxes.forEach((box, index) => {
        this.#take(box, placement.boxes[index]!.files);
        const offered = leadsOn ? offeredBundles(index, placement, { catalog, popularity }) : allTitles;
        box.ladders = new Map(
          offered.map((title) => {
            const files = Array.from({ length: rungCount }, (_, rung) => title * rungCount + rung);
            return [title, leadsOn ? files.filter((file) => box.wanted.has(file)) : files];
          }),
        );
      });
    });
  }

  /** A box gets its list, and queues what is missing in its order. What has begun and is still wanted goes on. */
  #take(box: Box, files: Uint32Array): void {
    const { fileBytes } = this.#catalogue;
    const begun = new Map(box.queue.map((fetch) => [fetch.file, fetch]));
    box.wanted = new Set(files);
    for (const { file, leftBytes } of box.queue) {
      if (!box.wanted.has(file) && leftBytes < fileBytes[file]!) box.usedBytes -= fileBytes[file]!;
    }
    box.queue = [...files]
      .filter((file) => !box.held.has(file))
      .map((file) => begun.get(file) ?? { file, leftBytes: fileBytes[file]! });
    for (const { file } of box.queue) if (!begun.has(file)) box.churnBytes -= fileBytes[file]!;
    const wantedBytes = files.reduce((sum, file) => sum + fileBytes[file]!, 0);
    assert(wantedBytes <= this.#options.boxBytes, 'a box is to hold more than its capacity');
  }

  #fill(box: Box, bytesMax: number): void {
    const { fileBytes } = this.#catalogue;
    let bytes = bytesMax;
    while (bytes > 0) {
      const fetch = box.queue[0];
      if (fetch === undefined) return;
      if (fetch.leftBytes === fileBytes[fetch.file]) this.#makeRoom(box, fetch.leftBytes);
      const taken = Math.min(bytes, fetch.leftBytes);
      fetch.leftBytes -= taken;
      bytes -= taken;
      if (this.#counts()) this.#tally.writtenBytes += taken;
      if (fetch.leftBytes > 0) return;
      box.queue.shift();
      box.held.set(fetch.file, this.#slot);
    }
  }

  #makeRoom(box: Box, bytes: number): void {
    const { fileBytes } = this.#catalogue;
    const { boxBytes } = this.#options;
    box.usedBytes += bytes;
    if (box.usedBytes <= boxBytes) return;
    const spare = [...box.held].filter(([file]) => !box.wanted.has(file)).sort(([, a], [, b]) => a - b);
    for (const [file] of spare) {
      box.held.delete(file);
      box.usedBytes -= fileBytes[file]!;
      if (box.usedBytes <= boxBytes) return;
    }
    assert.fail('a box holds more than its capacity');
  }

  #serve(site: number): void {
    const { slices, slotStarts, begun, begunStarts } = this.#demand.sites[site]!;
    const { sliceBytes } = this.#catalogue;
    const slot = this.#slot;
    const counts = this.#counts();
    const tally = this.#tally;
    for (let at = begunStarts[slot]!; at < begunStarts[slot + 1]!; at++) {
      this.#feed.begun({ site, title: Math.floor(begun[at]! / rungCount), atDay: slot / slotsPerDay });
    }
    const boxes = this.#sites[site]!;
    const offered = new Map<number, boolean>();
    const isOffered = (title: number): boolean => {
      const known = offered.get(title) ?? boxes.some((box) => this.#offers(box, title));
      offered.set(title, known);
      return known;
    };
    for (let at = slotStarts[slot]!; at < slotStarts[slot + 1]!; at++) {
      const slice = slices[at]!;
      const bytes = sliceBytes[slice]!;
      const file = Math.floor(slice / slicesMax);
      const isOwn = isOffered(Math.floor(file / rungCount)) && this.#isServed(boxes, file);
      this.#feed.served({ site, file, bytes, isOwn });
      if (!counts) continue;
      tally.askedBytes += bytes;
      if (isOwn) tally.hitBytes += bytes;
    }
  }

  /** Whether steering sends viewers of a title to a box: it holds most of what it is to hold of it. */
  #offers({ held, ladders }: Box, title: number): boolean {
    const { fileBytes } = this.#catalogue;
    const ladder = ladders.get(title);
    if (ladder === undefined) return false;
    if (this.#options.placement.ladderWorth > 0) return ladder.every((file) => held.has(file));
    const bytes = ladder.reduce((sum, file) => sum + (held.has(file) ? 1 : -1) * fileBytes[file]!, 0);
    return bytes >= 0;
  }

  /** Whether a box holds it, and so serves it: one leads on to another. */
  #isServed(boxes: readonly Box[], file: number): boolean {
    const box = boxes.find(({ held }) => held.has(file));
    box?.held.set(file, this.#slot);
    return box !== undefined;
  }

  #counts(): boolean {
    return this.#slot >= this.#options.countFromSlot;
  }
}

function newBox(id: string): Box {
  return {
    ...{ hash: hashText(id), held: new Map(), wanted: new Set(), ladders: new Map() },
    ...{ queue: [], usedBytes: 0, churnBytes: 0 },
  };
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
