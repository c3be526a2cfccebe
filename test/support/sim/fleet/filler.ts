import { chooseWay, type FillWay, type WayChoice } from '../../../../appliance/core/choose-way.ts';
import type { planFill, WantedFile } from '../../../../appliance/core/fill-diff.ts';
import { SourceBook } from '../../../../appliance/fill/source-book.ts';
import type { SourceFailure } from '../../../../appliance/fill/source-failure.ts';
import type { FillWindow } from '../../../../common/contract/documents.ts';
import { fillWindow, siteChance } from '../../../../common/core/fill-window.ts';
import { TokenBucket } from '../../../../common/core/token-bucket.ts';
import type { EventQueue } from '../event-queue.ts';
import { victimsOf } from '../evict.ts';
import type { SimBox } from './box.ts';
import type { SimNetwork } from './network.ts';
import { RateMeter, type Watch } from './watch.ts';

/** What the control plane tells a box. */
export interface SimManifest {
  readonly files: readonly WantedFile[];
  readonly capBytesPerSecond: number;
  /** Of what comes from the origin. */
  readonly originCapBytesPerSecond: number;
  readonly window: FillWindow;
}

/** Why a planned file is not here. */
export type Explanation = 'down' | 'no-room' | 'sources' | 'window';

export interface FillerOptions {
  readonly box: SimBox;
  readonly queue: EventQueue;
  readonly network: SimNetwork;
  readonly watch: Watch;
  /** The comparison of manifest and holdings: a box's own, or a broken one to see that it is noticed. */
  readonly diff: typeof planFill;
  readonly newBucket: (bytesPerSecond: number, nowMs: number) => TokenBucket;
  readonly waysOf: (file: string) => readonly FillWay[];
  /** Bytes that go over the wire now. */
  readonly onBytes: (bytes: number, way: FillWay) => void;
}

interface Job {
  readonly wanted: WantedFile;
  readonly wantedSinceMs: number;
  readonly spent: Set<string>;
  ways: readonly FillWay[] | undefined;
  waysAtMs: number;
  /** Undefined until room was taken. */
  disk: number | undefined;
  /** Not yet here and not under way. */
  unassignedBytes: number;
  doneBytes: number;
}

const runBytes = 8 * 2 ** 20;
const transfersMax = 4;
/** What a box's transfers have in hand: reserved at one cap, and kept waiting by another. */
export const inHandBytes = transfersMax * runBytes;
const windowFiles = 64;
const waysAgeMsMax = 300_000;
const waysAgeMsMin = 1000;
const blockedWaitMsMax = 30_000;
const replanLeftMs = 60_000;
/** So much of the time of a window may pass with nothing under way though something could be. */
const idleMsMax = 1000;
const burstSeconds = 0.05;

/** The bucket that a box limits its fill with. */
export function boxBucket(bytesPerSecond: number, nowMs: number): TokenBucket {
  return new TokenBucket({ ratePerSecond: bytesPerSecond, burst: burstBytes(bytesPerSecond), nowMs });
}

export function burstBytes(bytesPerSecond: number): number {
  return Math.max(256 * 1024, bytesPerSecond * burstSeconds);
}

/**
 * Fills a box in simulated time as the appliance does, by its cores: compares, makes room, takes ways by rank, keeps the cap.
 * A run of chunks is reserved in the bucket, then sent, then judged.
 */
export class SimFiller {
  #manifest: SimManifest | undefined;
  #bucket: TokenBucket | undefined;
  #originBucket: TokenBucket | undefined;
  #meter: RateMeter | undefined;
  readonly #options: FillerOptions;
  readonly #book: SourceBook;
  readonly #jobs = new Map<string, Job>();
  readonly #left = new Set<string>();
  #inFlight = 0;
  #pumpAtMs = Infinity;
  #window = { open: false, untilMs: 0 };
  #idleMs = 0;
  #accountedAtMs = 0;
  #isBlocked = false;
  #wasUp = true;
  #replansLater = false;

  constructor(options: FillerOptions) {
    this.#options = options;
    this.#book = new SourceBook(options.queue.clock());
    options.box.onDisks = () => {
      this.#dropJobsOnLostDisks();
      this.#replan();
    };
  }

  get manifest(): SimManifest | undefined {
    return this.#manifest;
  }

  setManifest(manifest: SimManifest): void {
    const { queue, newBucket } = this.#options;
    this.#account();
    if (manifest.capBytesPerSecond !== this.#manifest?.capBytesPerSecond) {
      const { capBytesPerSecond } = manifest;
      this.#bucket = newBucket(capBytesPerSecond, queue.nowMs);
      this.#meter = new RateMeter(capBytesPerSecond, burstBytes(capBytesPerSecond) + inHandBytes);
    }
    if (manifest.originCapBytesPerSecond !== this.#manifest?.originCapBytesPerSecond)
      this.#originBucket = newBucket(manifest.originCapBytesPerSecond, queue.nowMs);
    this.#manifest = manifest;
    this.#replan();
  }

  /** The box is up again, or was lost. */
  turned(): void {
    this.#account();
    if (this.#options.box.isUp) this.#replan();
  }

  /** Every file of the manifest that is not held, each with the reason. Throws Violation where there is none. */
  explainMissing(): Map<string, Explanation> {
    const { box, watch } = this.#options;
    const missing = new Map<string, Explanation>();
    for (const { file } of this.#manifest?.files ?? []) {
      if (box.held.has(file)) continue;
      const why = this.#explain(file);
      watch.holds(why !== undefined, () => `${box.id} lacks ${file} and nothing says why`);
      missing.set(file, why!);
    }
    return missing;
  }

  #explain(file: string): Explanation | undefined {
    if (!this.#options.box.isUp) return 'down';
    if (this.#left.has(file)) return 'no-room';
    const job = this.#jobs.get(file);
    // Before the window opens nothing was compared yet.
    if (job === undefined) return this.#window.open ? undefined : 'window';
    if (job.unassignedBytes > 0 && this.#choose(job).kind !== 'way') return 'sources';
    return 'window';
  }

  #replan(): void {
    const { box, diff } = this.#options;
    if (this.#manifest === undefined || !box.isUp) return;
    this.#account();
    this.#refreshWindow();
    if (this.#window.open) {
      const held = box.holdings();
      const result = diff({
        wanted: this.#manifest.files,
        held,
        disks: box.diskCapacities(),
        begunOn: (file) => this.#jobs.get(file)?.disk,
        costBytes: (sizeBytes) => sizeBytes,
      });
      const fetch = new Map(result.fetch.map((wanted) => [wanted.file, wanted]));
      this.#checkLeft(result, held);
      for (const file of this.#jobs.keys()) if (!fetch.has(file)) this.#drop(file);
      for (const file of victimsOf(result, { held, wanted: this.#wanted() })) box.evict(file);
      this.#arrange(fetch);
      if (this.#left.size > 0) this.#replanLater();
    }
    this.#pump();
  }

  #wanted(): Set<string> {
    return new Set(this.#manifest?.files.map(({ file }) => file));
  }

  #replanLater(): void {
    const { queue } = this.#options;
    if (this.#replansLater) return;
    this.#replansLater = true;
    queue.at(queue.nowMs + replanLeftMs, () => {
      this.#replansLater = false;
      if (this.#window.open) this.#replan();
    });
  }

  /**
   * What is left out does not fit on any disk: counted anew, apart from the comparison. A download whose disk others have taken
   * meanwhile is given up, and begins elsewhere with the next comparison.
   */
  #checkLeft(result: ReturnType<typeof planFill>, held: ReturnType<SimBox['holdings']>): void {
    const { box, watch } = this.#options;
    this.#left.clear();
    if (result.left.length === 0) return;
    const wanted = this.#wanted();
    const freeBytes = new Map(box.diskCapacities().map(({ disk, capacityBytes }) => [disk, capacityBytes]));
    const take = (disk: number, bytes: number): void =>
      void freeBytes.set(disk, (freeBytes.get(disk) ?? 0) - bytes);
    for (const [file, { disk, sizeBytes, inUse }] of held)
      if (inUse || wanted.has(file)) take(disk, sizeBytes);
    for (const { disk, sizeBytes } of result.fetch) take(disk!, sizeBytes);
    for (const { file, sizeBytes } of result.left) {
      watch.holds(
        this.#jobs.get(file)?.disk !== undefined || Math.max(0, ...freeBytes.values()) < sizeBytes,
        () => `${box.id} leaves ${file} out though ${sizeBytes} bytes are free`,
      );
      this.#left.add(file);
    }
  }

  #arrange(fetch: ReadonlyMap<string, WantedFile>): void {
    const { queue } = this.#options;
    for (const [file, wanted] of fetch) {
      const job = this.#jobs.get(file) ?? {
        ...{ wanted, wantedSinceMs: queue.nowMs, spent: new Set(), ways: undefined, waysAtMs: -Infinity },
        ...{ disk: undefined, unassignedBytes: wanted.sizeBytes, doneBytes: 0 },
      };
      this.#jobs.delete(file);
      this.#jobs.set(file, job.disk === undefined ? { ...job, wanted } : job);
    }
  }

  #drop(file: string): void {
    const job = this.#jobs.get(file);
    this.#jobs.delete(file);
    if (job?.disk !== undefined) this.#options.box.release(job.disk, job.wanted.sizeBytes);
  }

  #dropJobsOnLostDisks(): void {
    const { box } = this.#options;
    for (const [file, { disk }] of this.#jobs) {
      if (disk !== undefined && box.disks[disk]!.failed) this.#jobs.delete(file);
    }
  }

  #refreshWindow(): void {
    const { queue, box } = this.#options;
    if (this.#manifest === undefined || queue.nowMs < this.#window.untilMs) return;
    const wasOpen = this.#window.open;
    this.#window = fillWindow(this.#manifest.window, queue.nowMs, { chance: siteChance(box.site) });
    if (this.#window.open && !wasOpen) this.#idleMs = 0;
    queue.at(this.#window.untilMs, () => {
      this.#account();
      this.#replan();
    });
  }

  /** Starts as many transfers as there may be. */
  #pump(): void {
    const { box, queue, watch } = this.#options;
    this.#account();
    this.#isBlocked = false;
    while (box.isUp && this.#window.open && this.#inFlight < transfersMax && this.#jobs.size > 0) {
      const next = this.#next();
      if ('way' in next) {
        this.#start(next.job, next.way);
        continue;
      }
      this.#isBlocked = true;
      const atMs = queue.nowMs + Math.max(1, Math.min(next.waitMs, blockedWaitMsMax));
      if (this.#pumpAtMs > queue.nowMs && this.#pumpAtMs <= atMs) break;
      this.#pumpAtMs = atMs;
      queue.at(atMs, () => this.#pump());
      break;
    }
    watch.holds(
      this.#idleMs <= idleMsMax,
      () => `${box.id} had nothing under way for ${this.#idleMs} ms of its window`,
    );
  }

  /** Adds up the time in which something could have been under way and nothing was. */
  #account(): void {
    const { queue, box } = this.#options;
    const isIdle =
      this.#window.open && this.#wasUp && this.#inFlight === 0 && this.#jobs.size > 0 && !this.#isBlocked;
    if (isIdle) this.#idleMs += Math.min(queue.nowMs, this.#window.untilMs) - this.#accountedAtMs;
    this.#accountedAtMs = queue.nowMs;
    this.#wasUp = box.isUp;
  }

  #next(): { job: Job; way: FillWay } | { waitMs: number } {
    let waitMs = blockedWaitMsMax;
    let looked = 0;
    for (const job of this.#jobs.values()) {
      if (job.unassignedBytes === 0) continue;
      if (++looked > windowFiles) break;
      const choice = this.#choose(job);
      if (choice.kind === 'way') return { job, way: choice.way };
      if (choice.kind === 'wait') waitMs = Math.min(waitMs, choice.waitMs);
    }
    return { waitMs };
  }

  #choose(job: Job): WayChoice {
    const { queue, waysOf } = this.#options;
    const ask = (): void => {
      job.ways = waysOf(job.wanted.file);
      job.waysAtMs = queue.nowMs;
      job.spent.clear();
    };
    const choose = (): WayChoice =>
      chooseWay({
        ways: job.ways ?? [],
        wantedSinceMs: job.wantedSinceMs,
        nowMs: queue.nowMs,
        spent: job.spent,
        stateOf: (node) => this.#book.stateOf(node),
      });
    if (queue.nowMs - job.waysAtMs > waysAgeMsMax) ask();
    const choice = choose();
    if (choice.kind === 'way' || queue.nowMs - job.waysAtMs <= waysAgeMsMin) return choice;
    ask();
    return choose();
  }

  #start(job: Job, way: FillWay): void {
    const { box, queue, network, watch, onBytes } = this.#options;
    const { file, sizeBytes, disk } = job.wanted;
    if (job.disk === undefined) {
      box.allocate(disk!, sizeBytes);
      job.disk = disk!;
    }
    const bytes = Math.min(runBytes, job.unassignedBytes);
    job.unassignedBytes -= bytes;
    this.#inFlight++;
    this.#book.begin(way.node);
    const linkMs = way.kind === 'origin' ? this.#originBucket!.reserve(bytes, queue.nowMs) : 0;
    const waitMs = Math.max(linkMs, this.#bucket!.reserve(bytes, queue.nowMs));
    queue.at(queue.nowMs + waitMs, () => {
      const isKept = this.#meter!.count(bytes, queue.nowMs);
      watch.holds(isKept, () => `${box.id} fills faster than its cap`);
      onBytes(bytes, way);
      const { ms, outcome } = network.send(way, box, { file, bytes });
      queue.at(queue.nowMs + ms, () => {
        this.#book.rate(way.node, bytes, ms);
        this.#arrived(job, { way, bytes, outcome: outcome() });
      });
    });
  }

  #arrived(
    job: Job,
    { way, bytes, outcome }: { way: FillWay; bytes: number; outcome: 'good' | SourceFailure },
  ): void {
    const { box } = this.#options;
    this.#account();
    this.#inFlight--;
    this.#book.end(way.node, box.isUp ? outcome : 'unknown');
    if (box.isUp && outcome === 'good') job.doneBytes += bytes;
    else job.unassignedBytes += bytes;
    if (outcome !== 'good' && (outcome.kind === 'lies' || outcome.kind === 'absent')) job.spent.add(way.node);
    const { file, sizeBytes } = job.wanted;
    // It may have been dropped meanwhile, or begun anew on another disk.
    if (job.doneBytes === sizeBytes && this.#jobs.get(file) === job) {
      this.#jobs.delete(file);
      box.publish(file, sizeBytes, job.disk!);
    }
    this.#pump();
  }
}
