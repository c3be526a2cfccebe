import type { StoredEvent } from '../../../common/adapters/events/port.ts';
import { matches } from '../../../common/runtime/parse.ts';
import { eventSchemas, type EventData } from '../../../common/contract/event-log.ts';
import type { SavingsReport } from '../../../common/contract/savings.ts';
import type { ServedSummary } from '../../../common/contract/served.ts';
import {
  addServing,
  addWeights,
  popularityOf,
  weightAt,
  type HalfLives,
  type Serving,
  type Weight,
} from '../../core/popularity.ts';
import { LogConsumer, type ConsumerDependencies } from '../log-follower.ts';
import { keyOf, placeOf, PopularityWeights, type ServedAt } from './popularity-weights.ts';
import type { SitePopularity, SizedBundle } from './ports.ts';
import {
  openPopularityRecords,
  servedUses,
  type PopularityRecords,
  type ServedNodeRecord,
  type ServedUse,
} from './records.ts';
import { Savings, type SavingsScope, type SavingsStep } from './savings.ts';
import { LearnedSessions } from './sessions.ts';

export interface PopularityDependencies extends ConsumerDependencies {
  readonly halfLives: HalfLives;
  /** Names of files are a box's word: beyond so many no new ones are learned until a start has forgotten some. */
  readonly weightsMax: number;
  /** Called after a step that has changed some weight. */
  readonly onChange: () => void;
}

// A record a served file; a commit takes 10,000 changes.
const stepChangesMax = 4000;

/** What one step through the log changes. */
interface Step {
  offset: number;
  /** What comes to the weights, by their keys. */
  readonly added: Readonly<Record<ServedUse, Map<string, { at: ServedAt; weight: Weight }>>>;
  readonly nodes: Map<string, ServedNodeRecord>;
  readonly savings: SavingsStep;
}

/**
 * Learns popularity and savings from the log. Weights, what each node has served, and the offset up to which they count change in one
 * commit: whenever the process dies, an event counts once, and a report that stands in the log twice counts once too.
 */
export class PopularityConsumer extends LogConsumer {
  readonly #deps: PopularityDependencies;
  readonly #records: PopularityRecords;
  /** Apart: a page of posters says nothing of what is played. */
  readonly #weights: Readonly<Record<ServedUse, PopularityWeights>>;
  readonly #sessions: LearnedSessions;
  readonly #nodes = new Map<string, ServedNodeRecord>();
  readonly #savings: Savings;

  constructor(deps: PopularityDependencies) {
    super({ ...deps, consumer: 'popularity', what: 'popularity is learned' });
    this.#deps = deps;
    this.#records = openPopularityRecords(deps.records);
    const { halfLives } = deps;
    this.#weights = { played: new PopularityWeights(halfLives), seen: new PopularityWeights(halfLives) };
    this.#sessions = new LearnedSessions(this.#records, { beliefsMax: deps.weightsMax });
    this.#savings = new Savings(deps.records);
  }

  /** Reads what earlier processes have learned and forgets what counts no more. */
  override async open(): Promise<void> {
    const { clock } = this.#deps;
    for (const use of servedUses) await this.#readWeights(use);
    for await (const { key, value } of this.#records.nodes.all()) this.#nodes.set(key, value);
    await super.open();
    await this.#sessions.open(this.follower.offset, clock.nowMs());
  }

  /** Popularity of a bundle now, everywhere: smoothed bytes that were played ÷ size. */
  popularityOf({ files }: SizedBundle): number {
    const { played } = this.#weights;
    const sized = files.map(({ file, sizeBytes }) => ({ weight: played.everywhere(file), sizeBytes }));
    return popularityOf(sized, this.#deps.clock.nowMs(), this.#deps.halfLives);
  }

  /** What the viewers of a site want: as of now, for one plan. */
  popularityAt(site: string): SitePopularity {
    const nowMs = this.#deps.clock.nowMs();
    const { played, seen } = this.#weights;
    const sessions = this.#sessions.at(site, nowMs);
    return { ...played.at(site, nowMs), seen: seen.at(site, nowMs).of, sessions };
  }

  /** What a node has served, as far as the log was read; undefined for one that has told nothing. */
  servedBy(nodeId: string): ServedSummary | undefined {
    return this.#nodes.get(nodeId)?.served;
  }

  /** What a site's boxes have spared. */
  savings(scope: SavingsScope): Promise<SavingsReport> {
    return this.#savings.report(scope, this.#deps.clock.nowMs());
  }

  /** The last report of a node that counts. */
  lastReportOf(nodeId: string): { kid: string; sequence: number } | undefined {
    return this.#nodes.get(nodeId);
  }

  protected override onRestart(): void {
    this.#sessions.restart();
  }

  protected override async handle(events: readonly StoredEvent[], next: number): Promise<void> {
    let step = this.#beginStep();
    for (const event of events) {
      this.#apply(event, step);
      step.offset = event.offset;
      if (addedCount(step) + this.#sessions.unsavedCount < stepChangesMax) continue;
      await this.#commit(step);
      step = this.#beginStep();
    }
    step.offset = next;
    await this.#commit(step);
  }

  #beginStep(): Step {
    const added = { played: new Map(), seen: new Map() } as const;
    return { offset: this.follower.offset, added, nodes: new Map(), savings: new Map() };
  }

  #apply({ type, data, timeMs, offset }: StoredEvent, step: Step): void {
    const { session, 'served-report': served } = eventSchemas;
    if (type === 'served-report' && matches(served, data))
      this.#applyServed(data, data.untilMs ?? timeMs, step);
    else if (type === 'session' && matches(session, data)) this.#sessions.learn(data, { offset, timeMs });
    else if (type === 'served-report' || type === 'session')
      this.#deps.log.error({ offset, type }, 'an event is not readable; it is passed over');
  }

  #applyServed(data: EventData<'served-report'>, timeMs: number, step: Step): void {
    const { nodeId, site = '' } = data;
    const before = step.nodes.get(nodeId) ?? this.#nodes.get(nodeId);
    const node = afterPart(before, data);
    if (node === undefined) return;
    step.nodes.set(nodeId, node);
    let newBytes = 0;
    data.files.forEach(([file, playBytes], index) => {
      // Popularity counts viewers, not boxes that fill.
      const pictureBytes = Math.min(playBytes, data.pictureBytes?.[index] ?? 0);
      const at = { site, file };
      newBytes += this.#weigh('played', { at, bytes: playBytes - pictureBytes, atMs: timeMs }, step);
      newBytes += this.#weigh('seen', { at, bytes: pictureBytes, atMs: timeMs }, step);
    });
    const known = before?.kid === node.kid ? before.served.missingReports : 0;
    const missingReports = node.served.missingReports - known;
    this.#savings.add(step.savings, { data, timeMs }, { newBytes, missingReports });
  }

  /** @returns the bytes where the site had nothing of the file before, for the same use. */
  #weigh(use: ServedUse, { at, bytes, atMs }: Serving & { at: ServedAt }, step: Step): number {
    if (bytes === 0) return 0;
    const added = step.added[use];
    const key = keyOf(at);
    const weighed = added.get(key)?.weight;
    const isNew = weighed === undefined && this.#weights[use].get(at) === undefined;
    const { played, seen } = this.#weights;
    if (isNew && played.size + seen.size + addedCount(step) >= this.#deps.weightsMax) return 0;
    added.set(key, { at, weight: addServing(weighed, { bytes, atMs }, this.#deps.halfLives) });
    return isNew ? bytes : 0;
  }

  /** What counts no more is forgotten. */
  async #readWeights(use: ServedUse): Promise<void> {
    const { clock, halfLives } = this.#deps;
    const records = this.#records.weights[use];
    for await (const { key, value } of records.all()) {
      const weight = { fastBytes: 0, ...value };
      if (weightAt(weight, clock.nowMs(), halfLives).bytes >= 1) this.#weights[use].add(placeOf(key), weight);
      else await records.remove(key);
    }
  }

  async #commit({ offset, added, nodes, savings }: Step): Promise<void> {
    const { nodes: nodeRecords, weights: weightRecords } = this.#records;
    const sessions = this.#sessions.unsaved();
    await this.follower.commit(offset, {
      operations: [
        ...servedUses.flatMap((use) =>
          [...added[use]].map(([key, { at, weight }]) => {
            const sum = addWeights(this.#weights[use].get(at), weight, this.#deps.halfLives);
            return weightRecords[use].putOperation(key, sum);
          }),
        ),
        ...[...nodes].map(([nodeId, node]) => nodeRecords.putOperation(nodeId, node)),
        ...sessions.operations,
        ...(await this.#savings.operations(savings)),
      ],
      then: () => {
        for (const use of servedUses)
          for (const { at, weight } of added[use].values()) this.#weights[use].add(at, weight);
        for (const [nodeId, node] of nodes) this.#nodes.set(nodeId, node);
        sessions.saved();
        if (addedCount({ added }) + sessions.operations.length > 0) this.#deps.onChange();
      },
    });
  }
}

function addedCount({ added }: Pick<Step, 'added'>): number {
  return added.played.size + added.seen.size;
}

/** What a node has served with this part; undefined where the part counts already. */
function afterPart(
  before: ServedNodeRecord | undefined,
  data: EventData<'served-report'>,
): ServedNodeRecord | undefined {
  const { kid, sequence, part, sinceMs, filledBytes, files, pictureBytes = [] } = data;
  // Another key is another box under the same name: it counts from the beginning.
  const last =
    before?.kid === kid
      ? before
      : {
          sequence: 0,
          part: 0,
          served: { sinceMs, playBytes: 0, fillBytes: 0, filledBytes: 0, missingReports: 0 },
        };
  if (sequence < last.sequence || (sequence === last.sequence && part <= last.part)) return undefined;
  const sum = (which: 1 | 2): number => files.reduce((bytes, file) => bytes + file[which], 0);
  const served: ServedSummary = last.served;
  const ofPictures = pictureBytes.reduce((total, bytes) => total + bytes, served.pictureBytes ?? 0);
  return {
    kid,
    sequence,
    part,
    served: {
      sinceMs: served.sinceMs,
      playBytes: served.playBytes + sum(1),
      fillBytes: served.fillBytes + sum(2),
      ...(ofPictures > 0 && { pictureBytes: ofPictures }),
      filledBytes: served.filledBytes + filledBytes,
      missingReports: served.missingReports + Math.max(0, sequence - last.sequence - 1),
    },
  };
}
