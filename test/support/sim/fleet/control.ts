import type { FillWay } from '../../../../appliance/core/choose-way.ts';
import { popularityHalfLives } from '../../../../control-plane/core/popularity.ts';
import { PopularityWeights } from '../../../../control-plane/services/events/popularity-weights.ts';
import {
  emptyPlan,
  planFill,
  type FillPlan,
  type FillPlanSettings,
} from '../../../../control-plane/services/fill/plan.ts';
import type { FillBundle, FillNode } from '../../../../control-plane/services/fill/ports.ts';
import { sourcesOf } from '../../../../control-plane/services/fill/sources.ts';
import { rungCount } from '../catalogue.ts';
import type { Demand } from '../demand.ts';
import type { SimBox } from './box.ts';
import type { SimFiller } from './filler.ts';
import type { SimSite } from './sites.ts';
import type { Watch } from './watch.ts';

/** Part of a box's capacity that may change in a day. */
const churnShare = 0.3;
const waits = { tierWaitMs: 2000, originWaitMs: 5000 };
const bundleFileBytes = 64 * 1024;
const hourMs = 3_600_000;
/** Open Connect's: 02:00 to 14:00, moved by up to two hours. */
const windowHours = { startMinute: 2 * 60, endMinute: 14 * 60, jitterMinutes: 2 * 60 };

export interface ControlOptions {
  readonly demand: Demand;
  readonly sites: readonly SimSite[];
  /** What a box with all of its disks takes. */
  readonly boxBytes: number;
  readonly boxes: ReadonlyMap<string, SimBox>;
  readonly fillers: ReadonlyMap<string, SimFiller>;
  readonly watch: Watch;
  readonly nowMs: () => number;
  /** The planner: the control plane's own, or a broken one to see that it is noticed. */
  readonly plan: typeof planFill;
}

export function fileName(file: number): string {
  return `file-${file}`;
}

/** The control plane in simulated time: learns popularity, plans, tells manifests and ranks sources, by its own cores. */
export class SimControl {
  readonly #options: ControlOptions;
  readonly #settings: FillPlanSettings;
  readonly #weights = new PopularityWeights(popularityHalfLives);
  readonly #bundles: FillBundle[] = [];
  /** By box: bytes newly planned, and in which hour; counted apart from the planner. */
  readonly #added = new Map<string, { hour: number; bytes: number }[]>();
  #plan: FillPlan = emptyPlan;
  #knownNodes: readonly FillNode[] | undefined;

  constructor(options: ControlOptions) {
    this.#options = options;
    this.#settings = {
      ...{ reserveFraction: 0.05, copiesMin: 2, keepBonus: 0.5, ladderWorth: 1, leftMax: 100 },
      ...{ lostAfterMs: 900_000, churnBytesPerDay: Math.floor(churnShare * options.boxBytes) },
    };
  }

  /** A title is published. */
  publish(title: number): void {
    const { fileBytes } = this.#options.demand.catalogue;
    const bundle = `title-${title}`;
    const renditions = Array.from({ length: rungCount }, (_, rung) => title * rungCount + rung).map(
      (file) => ({
        ...{ file: fileName(file), ext: 'mp4', sizeBytes: fileBytes[file]! },
      }),
    );
    const files = [{ file: bundle, ext: 'json', sizeBytes: bundleFileBytes }, ...renditions];
    this.#bundles.push({ bundle, name: bundle, pinned: false, urgent: false, files });
  }

  /** Viewers of a site were served from it, or from elsewhere. */
  served(file: string, { bytes, site }: { bytes: number; site: string }): void {
    this.#weights.add({ site, file }, { bytes, fastBytes: bytes, atMs: this.#options.nowMs() });
  }

  waysOf(box: SimBox, file: string): readonly FillWay[] {
    const nodes = this.#nodes();
    const appliance = nodes.find(({ id }) => id === box.id)!;
    return sourcesOf(file, { appliance, nodes, plan: this.#plan, waits, fillToken: 'token', purpose: 'fill' })
      .ways;
  }

  /** Plans for everyone, and tells each box. */
  plan(): void {
    const { plan, fillers, sites, boxes, nowMs } = this.#options;
    const catalog = {
      bundles: () => this.#bundles,
      popularityAt: (site: string) => this.#weights.at(site, nowMs()),
    };
    const before = this.#plan;
    const now = { before, settings: this.#settings, nowMs: nowMs() };
    this.#plan = plan({ nodes: this.#nodes(), catalog }, now);
    for (const { name, timeZone, boxCapBytesPerSecond, boxOriginCapBytesPerSecond } of sites) {
      const window = { ...windowHours, timeZone };
      for (const box of boxes.values()) {
        const own = this.#plan.appliances.get(box.id);
        if (box.site !== name || own === undefined) continue;
        this.#check(box, before);
        const files = [...own.files.values()];
        fillers.get(box.id)!.setManifest({
          ...{ files, window, capBytesPerSecond: boxCapBytesPerSecond },
          originCapBytesPerSecond: boxOriginCapBytesPerSecond,
        });
      }
    }
  }

  #check(box: SimBox, before: FillPlan): void {
    const { watch, nowMs } = this.#options;
    const { reserveFraction, churnBytesPerDay = Infinity } = this.#settings;
    const files = [...this.#plan.appliances.get(box.id)!.files.values()];
    const sum = (of: typeof files): number => of.reduce((bytes, { sizeBytes }) => bytes + sizeBytes, 0);
    const usableBytes = box.capacityBytes * (1 - reserveFraction);
    watch.holds(
      sum(files) <= usableBytes,
      () => `${sum(files)} bytes are planned for ${box.id}, which has ${usableBytes}`,
    );
    const known = before.appliances.get(box.id)?.files;
    const hour = Math.floor(nowMs() / hourMs);
    const bytes = sum(files.filter(({ file }) => !box.held.has(file) && known?.has(file) !== true));
    const day = [...(this.#added.get(box.id) ?? []).filter((past) => past.hour > hour - 24), { hour, bytes }];
    this.#added.set(box.id, day);
    const addedBytes = day.reduce((total, past) => total + past.bytes, 0);
    watch.holds(
      addedBytes <= churnBytesPerDay,
      () => `${addedBytes} new bytes were planned for ${box.id} in a day, its budget is ${churnBytesPerDay}`,
    );
  }

  #nodes(): readonly FillNode[] {
    const { boxes, sites, nowMs } = this.#options;
    // At every other site whole ladders are wanted.
    const leading = new Set(sites.filter((_, index) => index % 2 === 1).map(({ name }) => name));
    this.#knownNodes ??= [
      origin,
      ...[...boxes.values()].map((box) => nodeOf(box, { nowMs, mayRedirect: leading.has(box.site) })),
    ];
    return this.#knownNodes;
  }
}

const origin: FillNode = {
  ...{ id: 'origin', role: 'origin', site: 'origin', cluster: 'origin', enrolledAtMs: 0, state: 'ready' },
  ...{ stateReason: '', lostMs: undefined, url: 'http://origin', capacityBytes: 0 },
  ...{ held: new Set(), holdingsVersion: 0, mayFetch: false, mayRedirect: false },
};

/** A box as fill sees it: always as it is now. */
function nodeOf(
  box: SimBox,
  { nowMs, mayRedirect }: { nowMs: () => number; mayRedirect: boolean },
): FillNode {
  const { id, site, held } = box;
  return {
    ...{ id, role: 'appliance', site, cluster: site, enrolledAtMs: 0 },
    ...{ stateReason: '', url: `http://${id}`, held, mayFetch: false, mayRedirect },
    get state() {
      return box.isUp ? 'ready' : 'lost';
    },
    get lostMs() {
      return box.downSinceMs === undefined ? undefined : nowMs() - box.downSinceMs;
    },
    get capacityBytes() {
      return box.capacityBytes;
    },
    get holdingsVersion() {
      return box.holdingsVersion;
    },
  };
}
