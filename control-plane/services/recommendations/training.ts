import type { RecommendationTraining } from '../../../common/contract/recommendation-models.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { toCoded } from '../../../common/runtime/errors.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { newObjectId } from '../../core/object-id.ts';
import { isBetter } from './core/train.ts';
import { readMeetings } from './meetings.ts';
import type { ModelBook } from './models.ts';
import type { RecommendationsOptions, RecommendedProfiles, RecommendedTitles } from './ports.ts';
import type { ModelsState } from './records.ts';
import { trainInThread } from './train-thread.ts';

export interface TrainingOptions {
  readonly models: ModelBook;
  readonly profiles: RecommendedProfiles;
  readonly titles: RecommendedTitles;
  readonly options: RecommendationsOptions;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  /** Hears that another model is in force. */
  readonly onPromoted: () => void;
}

type Outcome = NonNullable<ModelsState['last']>;

/** Where nothing was learned there may be enough to learn from soon. */
const againMs = 3_600_000;

/** Trains models, one at a time, and puts those in force that do better. */
export class Training {
  readonly #parts: TrainingOptions;
  readonly #stopping = new AbortController();
  #under: RecommendationTraining | undefined;
  #running: Promise<void> | undefined;

  constructor(parts: TrainingOptions) {
    this.#parts = parts;
  }

  /** What is under way. */
  get current(): RecommendationTraining | undefined {
    return this.#under;
  }

  /** Begins a training, if none is under way. */
  begin(): RecommendationTraining {
    const begun = (this.#under ??= this.#fresh());
    this.#running ??= this.#run().finally(() => {
      this.#under = undefined;
      this.#running = undefined;
    });
    return begun;
  }

  /** Whether it is time for the next one. */
  isDue(): boolean {
    const { models, clock, options } = this.#parts;
    const { attemptAtMs = 0, last } = models.state;
    const everyMs = last?.outcome === 'too-little' ? againMs : options.trainEveryMs;
    return this.#running === undefined && clock.nowMs() - attemptAtMs >= everyMs;
  }

  /** Ends what is under way. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  #fresh(): RecommendationTraining {
    return { startedAtMs: this.#parts.clock.nowMs(), stage: 'reading', profiles: 0, fraction: 0 };
  }

  async #run(): Promise<void> {
    const { models, clock, log } = this.#parts;
    const { signal } = this.#stopping;
    const ended = async (outcome: Omit<Outcome, 'endedAtMs'>): Promise<void> => {
      await models.note({ last: { ...outcome, endedAtMs: clock.nowMs() } });
    };
    try {
      await models.note({ attemptAtMs: clock.nowMs() });
      await ended(await this.#train(signal));
    } catch (error) {
      if (signal.aborted) return;
      log.error({ err: error }, 'a training of recommendations has failed; the model in force stays');
      const { code, message } = toCoded(error);
      await ended({ outcome: 'failed', detail: `${code}: ${message}` }).catch((cause: unknown) => {
        log.error({ err: cause }, 'how a training has ended could not be written down');
      });
    }
  }

  async #train(signal: AbortSignal): Promise<Omit<Outcome, 'endedAtMs'>> {
    const { models, titles: copy, clock, chance, options, onPromoted } = this.#parts;
    await copy.current();
    const meetings = await readMeetings(this.#parts, options, {
      signal,
      onProgress: (profiles) => this.#tell({ profiles }),
    });
    const { profiles, titles } = meetings;
    const count = meetings.userOf.length;
    if (count < options.meetingsMin)
      return { outcome: 'too-little', detail: `${count} titles met; ${options.meetingsMin} teach something` };
    this.#tell({ stage: 'training' });
    const id = newObjectId('model', chance);
    const held = models.promoted?.version;
    const request = { id, meetings, incumbent: await models.promotedBytes() };
    const { bytes, verdict, lambda, blend, cutS, seconds } = await trainInThread(request, {
      signal,
      onProgress: (fraction) => this.#tell({ fraction }),
    });
    const better = isBetter(verdict);
    const incumbent =
      held === undefined || verdict.incumbent === undefined
        ? undefined
        : { id: held, judged: verdict.incumbent };
    await models.add(
      {
        ...{ id, trainedAtMs: clock.nowMs(), cutAtMs: cutS * 1000, trainSeconds: seconds },
        ...{ profiles, titles: titles.length, meetings: count, lambda, blend, better },
        ...{ judged: verdict.candidate, popularity: verdict.popularity },
        ...(incumbent !== undefined && { incumbent }),
      },
      bytes,
    );
    const rival = incumbent === undefined ? verdict.popularity : incumbent.judged;
    const against = incumbent === undefined ? 'popularity' : incumbent.id;
    const detail = `${id}: nDCG@10 ${verdict.candidate.ndcg10.toFixed(4)} against ${rival.ndcg10.toFixed(4)} of ${against}`;
    if (!better) return { outcome: 'kept-back', detail };
    // Whoever has put another in force meanwhile is not overruled by what was judged beside the one before.
    if (!(await models.promoteInsteadOf(held, id)))
      return { outcome: 'kept-back', detail: `${detail}, in whose place another was put in force meanwhile` };
    onPromoted();
    return { outcome: 'promoted', detail };
  }

  #tell(change: Partial<RecommendationTraining>): void {
    this.#under = { ...(this.#under ?? this.#fresh()), ...change };
  }
}
