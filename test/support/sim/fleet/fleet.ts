import { planFill as diffFill } from '../../../../appliance/core/fill-diff.ts';
import { planFill } from '../../../../control-plane/services/fill/plan.ts';
import type { FillKind } from '../../../../common/contract/fill.ts';
import { pick, seededRandom } from '../../seeded.ts';
import { rungCount, slicesMax } from '../catalogue.ts';
import { makeDemand, slotsPerDay, type Demand } from '../demand.ts';
import { EventQueue } from '../event-queue.ts';
import type { Random } from '../sampling.ts';
import { SimBox } from './box.ts';
import { fileName, SimControl } from './control.ts';
import { breakThings, type Faults } from './faults.ts';
import { boxBucket, burstBytes, inHandBytes, SimFiller, type Explanation } from './filler.ts';
import { SimNetwork } from './network.ts';
import { makeSites, type SimSite } from './sites.ts';
import { RateMeter, Watch } from './watch.ts';

/** The cores that decide; a test may put a broken one in, to see that it is noticed. */
export interface FleetCores {
  readonly diff: typeof diffFill;
  readonly plan: typeof planFill;
  readonly newBucket: typeof boxBucket;
}

export interface FleetOptions {
  readonly seed: number;
  readonly boxesBySite: readonly number[];
  readonly nights: number;
  readonly titles: number;
  readonly launchesPerNight: number;
  readonly alpha: number;
  readonly rankChurn: number;
  /** Hears that a night is over, 1 for the first. */
  readonly onNight?: (night: number) => void;
}

/** What happened. */
export interface FleetResult {
  readonly steps: number;
  readonly checks: number;
  readonly filledBytes: number;
  readonly byteHitRatio: number;
  readonly faults: Faults;
  /** Planned files that were missing when a day was over, by reason. */
  readonly missing: Record<Explanation, number>;
}

export const realCores: FleetCores = { diff: diffFill, plan: planFill, newBucket: boxBucket };

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const slotMs = dayMs / slotsPerDay;
const planEveryMs = 3 * hourMs;
/** Before two changes of the clocks. */
const startMs = Date.UTC(2026, 9, 20);
const disksPerBox = 4;
/** Of the titles at the beginning, what one box takes. */
const boxShare = 0.08;
const viewingsPerBoxDay = 150;
/** A box's capacity in so many nights of twelve hours: a fill must be able to fall behind. */
const nightsToFill = 4;

/**
 * A fleet of boxes for some nights: viewers ask, the control plane learns and plans, boxes fill in their windows, disks and
 * links and boxes fail. Checks in each step what must always hold. Throws Violation, which names the seed.
 */
export function runFleet(options: FleetOptions, cores: FleetCores = realCores): FleetResult {
  return new Fleet(options, cores).run();
}

class Fleet {
  readonly #options: FleetOptions;
  readonly #demand: Demand;
  readonly #random: Random;
  readonly #queue = new EventQueue(startMs);
  readonly #watch: Watch;
  readonly #sites: readonly SimSite[];
  readonly #boxes = new Map<string, SimBox>();
  readonly #fillers = new Map<string, SimFiller>();
  readonly #network: SimNetwork;
  readonly #partnerMeters = new Map<string, RateMeter>();
  readonly #control: SimControl;
  readonly #missing: Record<Explanation, number> = { down: 0, 'no-room': 0, sources: 0, window: 0 };
  #filledBytes = 0;
  #askedBytes = 0;
  #hitBytes = 0;

  constructor(options: FleetOptions, cores: FleetCores) {
    const { seed, boxesBySite, nights } = options;
    this.#options = options;
    this.#random = seededRandom(seed ^ 0x5eed);
    this.#demand = makeDemand({ ...options, days: nights, viewingsPerBoxDay });
    this.#watch = new Watch(seed, () => this.#queue.nowMs);
    const boxBytes = this.#boxBytes();
    this.#sites = makeSites(boxesBySite, Math.floor(boxBytes / (nightsToFill * 12 * 3600)));
    this.#network = new SimNetwork(this.#boxes, this.#random);
    this.#control = new SimControl({
      ...{ demand: this.#demand, sites: this.#sites, boxBytes, boxes: this.#boxes, fillers: this.#fillers },
      ...{ watch: this.#watch, nowMs: () => this.#queue.nowMs, plan: cores.plan },
    });
    for (const site of this.#sites) this.#addSite(site, boxBytes, cores);
  }

  run(): FleetResult {
    const { nights, titles, onNight } = this.#options;
    const endMs = startMs + nights * dayMs;
    for (let title = 0; title < titles; title++) this.#control.publish(title);
    for (const { title, day } of this.#demand.launches) {
      // Published the evening before its first day.
      this.#queue.at(startMs + day * dayMs - 6 * hourMs, () => this.#control.publish(title));
    }
    for (let slot = 0; slot < nights * slotsPerDay; slot++) {
      this.#queue.at(startMs + slot * slotMs, () => this.#watchSlot(slot));
    }
    for (let atMs = startMs; atMs < endMs; atMs += planEveryMs)
      this.#queue.at(atMs + 1, () => this.#control.plan());
    for (let night = 1; night <= nights; night++) {
      this.#queue.at(startMs + night * dayMs, () => {
        this.#reportDay();
        onNight?.(night);
      });
    }
    const faults = breakThings({
      ...{ queue: this.#queue, random: this.#random, boxes: this.#boxes, fillers: this.#fillers },
      ...{ network: this.#network, sites: this.#sites, nights, replan: () => this.#control.plan() },
    });
    this.#queue.runUntil(endMs);
    return {
      ...{ steps: this.#queue.steps, checks: this.#watch.checks, filledBytes: this.#filledBytes },
      ...{ byteHitRatio: this.#hitBytes / this.#askedBytes, faults, missing: this.#missing },
    };
  }

  #boxBytes(): number {
    const { fileBytes } = this.#demand.catalogue;
    const files = fileBytes.subarray(0, this.#options.titles * rungCount);
    return files.reduce((sum, bytes) => sum + bytes, 0) * boxShare;
  }

  #addSite(site: SimSite, boxBytes: number, cores: FleetCores): void {
    const { boxes: count, name } = site;
    const meters = this.#metersOf(site);
    for (let index = 0; index < count; index++) {
      const id = `${name}-box-${index}`;
      const diskBytes = Array.from({ length: disksPerBox }, () => Math.floor(boxBytes / disksPerBox));
      const nowMs = (): number => this.#queue.nowMs;
      const box = new SimBox({ id, site: name, diskBytes, watch: this.#watch, nowMs });
      this.#boxes.set(id, box);
      const filler = new SimFiller({
        ...{ box, queue: this.#queue, network: this.#network, watch: this.#watch },
        ...{ diff: cores.diff, newBucket: cores.newBucket },
        waysOf: (file) => this.#control.waysOf(box, file),
        onBytes: (bytes, { kind }) => {
          this.#filledBytes += bytes;
          for (const { of, only, meter } of meters) {
            if (only !== undefined && only !== kind) continue;
            this.#watch.holds(meter.count(bytes, nowMs()), () => `${of} carries more than its cap`);
          }
        },
      });
      this.#fillers.set(id, filler);
    }
  }

  /** What measures the caps that boxes of a site share: the site's, that of its link to the origin, and its partner's. */
  #metersOf(site: SimSite): { of: string; only: FillKind | undefined; meter: RateMeter }[] {
    const { name, partner, boxes, boxCapBytesPerSecond } = site;
    const meterOf = (bytesPerSecond: number, count: number): RateMeter =>
      new RateMeter(bytesPerSecond, count * (burstBytes(boxCapBytesPerSecond) + inHandBytes));
    const known = this.#partnerMeters.get(partner.name);
    const ofPartner = known ?? meterOf(partner.capBytesPerSecond, partner.boxes);
    this.#partnerMeters.set(partner.name, ofPartner);
    return [
      { of: `the link of ${name}`, only: undefined, meter: meterOf(site.linkCapBytesPerSecond, boxes) },
      {
        of: `the link of ${name} to the origin`,
        only: 'origin',
        meter: meterOf(site.originCapBytesPerSecond, boxes),
      },
      { of: `the link of ${partner.name}`, only: undefined, meter: ofPartner },
    ];
  }

  /** Ten minutes of viewers: each slice is read from a box of the site that holds its file, and leases it meanwhile. */
  #watchSlot(slot: number): void {
    const { catalogue, sites } = this.#demand;
    sites.forEach(({ slices, slotStarts }, index) => {
      const { name } = this.#sites[index]!;
      const mates = [...this.#boxes.values()].filter(({ site, isUp }) => isUp && site === name);
      for (let at = slotStarts[slot]!; at < slotStarts[slot + 1]!; at++) {
        const slice = slices[at]!;
        const file = fileName(Math.floor(slice / slicesMax));
        const bytes = catalogue.sliceBytes[slice]!;
        const holders = mates.filter(({ held }) => held.has(file));
        const holder = holders[pick(this.#random, holders.length)];
        holder?.lease(file, this.#queue.nowMs + slotMs * (1 + this.#random()));
        this.#askedBytes += bytes;
        if (holder !== undefined) this.#hitBytes += bytes;
        this.#control.served(file, { bytes, site: holder === undefined ? '' : name });
      }
    });
  }

  #reportDay(): void {
    for (const filler of this.#fillers.values()) {
      for (const why of filler.explainMissing().values()) this.#missing[why]++;
    }
  }
}
