import type { Clock } from '../../common/runtime/clock.ts';
import { isDeepStrictEqual } from 'node:util';
import type { Place } from '../../common/contract/documents.ts';
import { DecisionSampler, samplesPerSecond } from '../core/decision-sampler.ts';
import type { BelievedHealth, Decision, DecisionSink } from '../core/history-records.ts';
import type { HealthById, RankPolicy } from '../core/rank.ts';
import type { Outlook } from '../outlook.ts';
import type { Journal } from './journal.ts';

export interface RecorderOptions {
  readonly policy: RankPolicy;
  readonly placeUnknown: Place | undefined;
  readonly health: () => HealthById;
  readonly outlook: () => Outlook | undefined;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly fraction: () => number;
}

const lookMs = 1000;
/** A smaller change of what a box has free decides nothing. */
const headroomStep = 0.02;

/** Writes to the journal what answers depend on, whenever it changes, and a sample of the answers. */
export class Recorder implements DecisionSink {
  readonly #options: RecorderOptions;
  readonly #sampler: DecisionSampler;
  #journal: Journal | undefined;
  /** The payload of the map in force. */
  #map: string | undefined;
  #health = new Map<string, BelievedHealth>();
  #kept: Readonly<Record<string, number>> = {};

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#sampler = new DecisionSampler({ perSecond: samplesPerSecond, fraction: options.fraction });
  }

  /** Writes to this journal from now on. */
  writeTo(journal: Journal): void {
    this.#journal = journal;
  }

  /** What a segment begins with: all that is in force. */
  opening(): string[] {
    const { policy, placeUnknown } = this.#options;
    return [
      this.#line({ kind: 'policy', ...policy, placeUnknown }),
      ...(this.#map === undefined ? [] : [this.#mapLine(this.#map)]),
      this.#line({ kind: 'health', nodes: Object.fromEntries(this.#health) }),
      this.#line({ kind: 'kept', shares: this.#kept }),
    ];
  }

  /** A map was taken, signed as it came; its signature has been verified. */
  mapTaken(jws: string): void {
    this.#map = Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString();
    this.#journal?.append(this.#mapLine(this.#map));
  }

  take(): number {
    return this.#sampler.take(() => this.#options.clock.monotonicMs());
  }

  add(weight: number, decision: Decision): void {
    this.#journal?.append(this.#line({ kind: 'decision', weight, ...decision }));
  }

  /** Looks every second what has changed, until the signal ends it. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#options.clock.sleep(lookMs, { signal }).catch(() => undefined);
      this.look();
    }
  }

  /** One look. */
  look(): void {
    const nodes = this.#healthChanges();
    if (Object.keys(nodes).length > 0) this.#journal?.append(this.#line({ kind: 'health', nodes }));
    const kept = keptShares(this.#options.outlook());
    if (isDeepStrictEqual(kept, this.#kept)) return;
    this.#kept = kept;
    this.#journal?.append(this.#line({ kind: 'kept', shares: kept }));
  }

  #healthChanges(): Record<string, BelievedHealth | null> {
    const now = this.#options.health();
    const changes: Record<string, BelievedHealth | null> = {};
    for (const [id, { verdict, reason, sinceMs, downFamilies, said }] of now) {
      const before = this.#health.get(id);
      const isSame =
        before?.sinceMs === sinceMs &&
        before.verdict === verdict &&
        before.said?.unwell === said?.unwell &&
        Math.abs((before.said?.headroom ?? -1) - (said?.headroom ?? -1)) < headroomStep &&
        isDeepStrictEqual(before.downFamilies, downFamilies);
      if (isSame) continue;
      const believed: BelievedHealth = {
        ...{ verdict, reason, sinceMs },
        ...(downFamilies !== undefined && { downFamilies: [...downFamilies] }),
        ...(said !== undefined && {
          said: { headroom: said.headroom, ...(said.unwell !== undefined && { unwell: said.unwell }) },
        }),
      };
      this.#health.set(id, believed);
      changes[id] = believed;
    }
    for (const id of this.#health.keys()) {
      if (now.has(id)) continue;
      this.#health.delete(id);
      changes[id] = null;
    }
    return changes;
  }

  /** Of the time at which it is written: of one that was taken before the clock was set back, a segment could not be read. */
  #mapLine(payload: string): string {
    return `{"atMs":${this.#options.clock.nowMs()},"kind":"map","payload":${payload}}`;
  }

  #line(record: object): string {
    return JSON.stringify({ atMs: this.#options.clock.nowMs(), ...record });
  }
}

function keptShares(outlook: Outlook | undefined): Record<string, number> {
  const shares: Record<string, number> = {};
  for (const [index, { id }] of outlook?.view.appliances.entries() ?? []) {
    const share = Math.round((outlook?.state.kept[index] ?? 1) * 255);
    if (share < 255) shares[id] = share;
  }
  return shares;
}
