import type { FillManifest } from '../../common/contract/documents.ts';
import { TokenBucket } from '../../common/core/token-bucket.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { LoadLevel } from '../core/judge-load.ts';
import { yieldTo, type Yielding } from '../core/yield-rate.ts';

export interface PacerOptions {
  clock: Clock;
  /** Most that one source may take; undefined for no such cap. */
  sourceBytesPerSecond?: number | undefined;
  /** How busy viewers keep the box. */
  level: () => LoadLevel;
}

// So much time's worth may come at once, so that small reads are not delayed one by one.
const burstSeconds = 0.05;
const burstBytesMin = 256 * 1024;
const lookMs = 250;
const sourcesMax = 10_000;

interface Cap {
  readonly bytesPerSecond: number;
  readonly bucket: TokenBucket;
}

/**
 * Keeps all downloads of a box together below its cap, those of one source below the source's, those over a link below the link's, and all of them out of the
 * viewers' way while the box is busy. What was not used in time is lost: a missed night is caught up at the same rate.
 */
export class Pacer {
  readonly #options: PacerOptions;
  readonly #bySource = new Map<string, TokenBucket>();
  #box: Cap | undefined;
  /** By the site that the link leads from, and by node. */
  #links = new Map<string, Cap>();
  #linkOf = new Map<string, Cap>();
  #yielding: Yielding;
  #yieldBucket: TokenBucket | undefined;
  #lookedAtMs: number;
  #sinceLookBytes = 0;

  constructor(options: PacerOptions) {
    this.#options = options;
    this.#lookedAtMs = options.clock.monotonicMs();
  }

  /** Sets the cap of the box; undefined for none. What waits already keeps its wait. */
  setRate(bytesPerSecond: number | undefined): void {
    if (bytesPerSecond === this.#box?.bytesPerSecond) return;
    this.#box =
      bytesPerSecond === undefined ? undefined : { bytesPerSecond, bucket: this.#bucketOf(bytesPerSecond) };
  }

  /** Sets the caps of links: of what comes from the nodes of each. */
  setLinks(links: NonNullable<FillManifest['links']>): void {
    const before = this.#links;
    this.#links = new Map();
    this.#linkOf = new Map();
    for (const { from, nodes, capBytesPerSecond: bytesPerSecond } of links) {
      const known = before.get(from);
      const cap =
        known?.bytesPerSecond === bytesPerSecond
          ? known
          : { bytesPerSecond, bucket: this.#bucketOf(bytesPerSecond) };
      this.#links.set(from, cap);
      for (const node of nodes) this.#linkOf.set(node, cap);
    }
  }

  /**
   * Takes note of bytes that have come in from a source.
   *
   * @returns for how many milliseconds no more may be taken from it; its sender is held up by its full pipe meanwhile.
   */
  take(bytes: number, source: string): number {
    const nowMs = this.#options.clock.monotonicMs();
    this.#sinceLookBytes += bytes;
    if (nowMs - this.#lookedAtMs >= lookMs) this.#look(nowMs);
    const ofLink = this.#linkOf.get(source)?.bucket;
    const buckets = [this.#box?.bucket, this.#yieldBucket, this.#bucketOfSource(source), ofLink];
    return buckets.reduce((waitMs, bucket) => Math.max(waitMs, bucket?.reserve(bytes, nowMs) ?? 0), 0);
  }

  #look(nowMs: number): void {
    const measured = (this.#sinceLookBytes * 1000) / (nowMs - this.#lookedAtMs);
    this.#lookedAtMs = nowMs;
    this.#sinceLookBytes = 0;
    const before = this.#yielding;
    this.#yielding = yieldTo(this.#options.level(), before, measured);
    const rate = this.#yielding?.bytesPerSecond;
    if (rate === before?.bytesPerSecond) return;
    this.#yieldBucket = rate === undefined ? undefined : this.#bucketOf(rate);
  }

  #bucketOfSource(source: string): TokenBucket | undefined {
    const { sourceBytesPerSecond } = this.#options;
    if (sourceBytesPerSecond === undefined) return undefined;
    const known = this.#bySource.get(source);
    if (known !== undefined) return known;
    if (this.#bySource.size >= sourcesMax) this.#bySource.clear();
    const bucket = this.#bucketOf(sourceBytesPerSecond);
    this.#bySource.set(source, bucket);
    return bucket;
  }

  #bucketOf(bytesPerSecond: number): TokenBucket {
    return new TokenBucket({
      // A cap of zero would divide by it; a byte a second says the same.
      ratePerSecond: Math.max(1, bytesPerSecond),
      burst: Math.max(burstBytesMin, bytesPerSecond * burstSeconds),
      nowMs: this.#options.clock.monotonicMs(),
    });
  }
}
