import type { ViewingReport } from '../../../common/contract/viewing.ts';
import { growingCache } from '../../../common/core/growing-cache.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { Log } from '../../../common/runtime/log.ts';
import type { Learned } from './core/learned.ts';
import { personOf, type OfferedFor, type ProfileTaste } from './core/taste-of.ts';
import type { RecommendationRecords } from './records.ts';

/** What a device told of a profile, from where it may be. */
export interface ToldViewing {
  readonly profileId: string;
  readonly region: string | undefined;
  readonly reports: readonly ViewingReport[];
}

export interface LearningOptions {
  readonly learned: Learned;
  readonly records: RecommendationRecords;
  readonly tasteOf: (profileId: string) => Promise<ProfileTaste>;
  readonly offeredFor: OfferedFor;
  /** Whether the model in force knows a title. */
  readonly isKnown: (titleId: string) => boolean;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Profiles whose beginnings of the day are remembered, the latest, and how many of each. Who tells of a viewing says what a viewing is, and
 * could say it often: for everybody's trends a profile begins a title once a day, and once more after a restart at worst.
 */
const countedProfilesMax = 50_000;
const countedOfDayMax = 200;
const dayMs = 86_400_000;
/** Reports that wait to be learned from; more are passed over. */
const waitingMax = 1000;
const companyOf = 50;
const operationsMax = 5000;

/** Learns from what is watched between two trainings, beside the requests that tell it. */
export class Learning {
  readonly #parts: LearningOptions;
  readonly #counted = growingCache<string, CountedDay>(countedProfilesMax);
  /** What is being learned, and of which profile. */
  readonly #waiting = new Map<Promise<void>, string>();

  constructor(parts: LearningOptions) {
    this.#parts = parts;
  }

  /** Reads what earlier processes have learned. */
  async open(): Promise<void> {
    const { records, learned } = this.#parts;
    for await (const { key, value } of records.learned.all()) learned.restore(key, value);
  }

  /** Takes what a device told; what is learned of it follows. */
  note({ profileId, region, reports }: ToldViewing): void {
    const counted = this.#countedOf(profileId);
    const fresh = reports.flatMap((report) =>
      report.kind === 'progress' && counted.isOpenTo(report.titleId) ? [report] : [],
    );
    if (fresh.length === 0 || this.#waiting.size >= waitingMax) return;
    const learning = this.#learn({ profileId, region, reports: fresh })
      .catch((error: unknown) => {
        this.#parts.log.error({ err: error }, 'a viewing taught recommendations nothing');
      })
      .finally(() => this.#waiting.delete(learning));
    this.#waiting.set(learning, profileId);
  }

  /** Waits until everything that was told is learned. */
  async settled(): Promise<void> {
    await Promise.all(this.#waiting.keys());
  }

  /** Forgets what some profiles have begun, also in what is being learned now. */
  async forget(profileIds: readonly string[]): Promise<void> {
    const learning = [...this.#waiting].filter(([, profileId]) => profileIds.includes(profileId));
    await Promise.all(learning.map(([ended]) => ended));
    for (const id of profileIds) this.#counted.delete(id);
  }

  /** Writes down what has changed; what could not be written stays changed. */
  async keep(): Promise<void> {
    const { records, learned } = this.#parts;
    const changed = learned.takeChanged();
    try {
      for (let from = 0; from < changed.length; from += operationsMax)
        await records.all.commit(
          changed.slice(from, from + operationsMax).map(([titleId, value]) =>
            records.learned.putOperation(titleId, {
              begun: { ...value.begun },
              together: { ...value.together },
            }),
          ),
        );
    } catch (error) {
      for (const [titleId] of changed) learned.notKept(titleId);
      throw error;
    }
  }

  async #learn({
    profileId,
    region,
    reports,
  }: Omit<ToldViewing, 'reports'> & {
    reports: readonly Extract<ViewingReport, { kind: 'progress' }>[];
  }): Promise<void> {
    const { learned, tasteOf, offeredFor, isKnown, clock } = this.#parts;
    const taste = await tasteOf(profileId);
    const { meetings } = personOf(taste, offeredFor);
    const counted = this.#countedOf(profileId);
    this.#counted.set(profileId, counted);
    for (const { titleId, startedAtMs } of reports) {
      const seen = taste.seen.find((one) => one.titleId === titleId);
      const offered = offeredFor(titleId);
      if (seen === undefined || seen.progress === 'hardly-begun' || !counted.isOpenTo(titleId)) continue;
      counted.titles.add(titleId);
      if (offered === undefined) continue;
      learned.noteBegun(offered, region, Math.min(startedAtMs, clock.nowMs()));
      const isFirst = taste.seen.filter((one) => offeredFor(one.titleId) === offered).length === 1;
      if (!isFirst) continue;
      const company = meetings
        .filter((one) => one.titleId !== offered && !(isKnown(offered) && isKnown(one.titleId)))
        .slice(0, companyOf);
      learned.noteTogether(
        offered,
        company.map((one) => one.titleId),
      );
    }
  }

  /** What a profile has begun today. */
  #countedOf(profileId: string): CountedDay {
    const day = Math.floor(this.#parts.clock.nowMs() / dayMs);
    const counted = this.#counted.get(profileId);
    return counted?.day === day ? counted : new CountedDay(day);
  }
}

/** What a profile has begun on a day. */
class CountedDay {
  readonly day: number;
  readonly titles = new Set<string>();

  constructor(day: number) {
    this.day = day;
  }

  /** Whether a beginning of a title would count. */
  isOpenTo(titleId: string): boolean {
    return this.titles.size < countedOfDayMax && !this.titles.has(titleId);
  }
}
