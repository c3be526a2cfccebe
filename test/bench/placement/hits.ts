import type { PolicyName } from '../../../appliance/core/eviction/policy.ts';
import type { ClusterSettings } from '../../../control-plane/core/placement/place-cluster.ts';
import { moreIsBetter, type Figure } from '../../support/bench.ts';
import { rungCount } from '../../support/sim/catalogue.ts';
import { makeDemand, slotsPerDay, type Demand } from '../../support/sim/demand.ts';
import { runPlanned } from '../../support/sim/planned.ts';
import { runReactive, type HitOptions, type Tally } from '../../support/sim/reactive.ts';

/** What a reader needs to see where the figures come from. */
export interface HitsReport {
  readonly figures: Figure[];
  readonly notes: string[];
  readonly head: readonly string[];
  readonly rows: string[][];
}

const peers = ['lru', 'sieve', 's3fifo', 'gdsf'] as const satisfies PolicyName[];
const alphas = [0.8, 1.1] as const;
const rankChurns = [0.05, 0.2] as const;
const writesGoal = 20;
const planHours = 2;

/** By then reactive caches are full: from here to the end of the warm-up an operator sees what they write. */
const settledDay = 2;
const windowSeconds = 12 * 3600;
/** As the control plane places by default, where boxes lead viewers on, and where they refuse what they do not hold. */
const inPart: ClusterSettings = { copiesMin: 2, keepBonus: 0.5, ladderWorth: 0 };
const whole: ClusterSettings = { ...inPart, ladderWorth: 1 };

const full = {
  boxesBySite: [8, 7, 6, 6, 5, 5, 4, 4, 3, 3],
  warmDays: 5,
  days: 35,
  titles: 1000,
  seed: 20_261_121,
};
const quick = { ...full, warmDays: 4, days: 12, titles: 300 };
/** Of the catalogue as it is at first: what one box takes. */
const boxShare = 0.03;
/** A busy box: its line of 200 Gb/s three quarters full in the evening moves some seven times its 120 TB a day. */
const viewingsPerTitle = 1.07;

/** Byte hit ratios and disk writes of planned fill and of reactive caches, on the same demand with the same capacity. */
export function measureHits(options: { quick: boolean; wants: (name: string) => boolean }): HitsReport {
  const scale = options.quick ? quick : full;
  const figures: Figure[] = [];
  const rows: string[][] = [];
  const writes: Comparison[] = [];
  for (const alpha of alphas) {
    const name = `placement.hit.a${alpha}`;
    if (!options.wants(name) && !options.wants('placement.writes')) continue;
    const compared = rankChurns.map((rankChurn) => compare(scale, { alpha, rankChurn }));
    rows.push(...compared.flatMap(rowsOf));
    writes.push(...compared);
    const { ours, best } = least(
      compared,
      ({ ours: planned, best: peer }) => hitRatio(planned) / hitRatio(peer.tally),
    );
    const [mine, theirs] = [hitRatio(ours), hitRatio(best.tally)];
    figures.push(moreIsBetter({ name, ours: mine, peer: best.name, theirs, unit: 'of bytes', goal: 1 }));
  }
  if (writes.length > 0) figures.push(writesFigure(writes));
  const head = [
    'demand',
    'policy',
    'byte hit ratio',
    '÷ best reactive',
    'asked a day',
    'written a day',
    'writes ÷ ours',
  ];
  return { figures, notes: notesOf(scale), head, rows };
}

interface Comparison {
  readonly demand: string;
  readonly ours: Tally;
  readonly others: readonly { readonly name: string; readonly tally: Tally }[];
  /** The reactive policy that hits most. */
  readonly best: { readonly name: PolicyName; readonly tally: Tally };
  /** Of all boxes, times the days that count. */
  readonly capacityDays: number;
}

function compare(scale: typeof full, { alpha, rankChurn }: { alpha: number; rankChurn: number }): Comparison {
  const { boxesBySite, titles, days, warmDays, seed } = scale;
  process.stderr.write(`demand: α ${alpha}, rank churn ${rankChurn}\n`);
  const demand = makeDemand({
    ...{ seed, boxesBySite, days, titles, alpha, rankChurn },
    ...{ launchesPerNight: 10, viewingsPerBoxDay: viewingsPerTitle * titles },
  });
  const boxBytes = Math.floor(boxShare * catalogueBytes(demand, titles));
  const options: HitOptions = { boxesBySite, boxBytes, countFromSlot: warmDays * slotsPerDay };
  const run = (name: PolicyName) => ({ name, tally: runReactive(demand, { ...options, policy: name }) });
  const reactive = peers.map(run);
  const best = least(reactive, ({ tally }) => -hitRatio(tally));
  const boxes = boxesBySite.reduce((sum, count) => sum + count, 0);
  const capacityDays = boxes * boxBytes * (days - warmDays);
  const churnShare = allowedChurn(demand, { scale, options, best });
  const capBytesPerSecond = (churnShare * boxBytes) / windowSeconds;
  const plan = { ...options, churnShare, capBytesPerSecond, planHours };
  const ours = runPlanned(demand, { ...plan, placement: inPart });
  const wholes = { name: 'planned, whole ladders', tally: runPlanned(demand, { ...plan, placement: whole }) };
  const label = `α ${alpha}, churn ${rankChurn * 100} %`;
  const others = [wholes, ...reactive, run('belady')];
  return { demand: label, ours, others, best, capacityDays };
}

/**
 * Of its capacity a box may change and fill so much a night: what the goal leaves of the writes of the best reactive policy before the days
 * that count. An operator has seen these on caches of his own, and nothing of what comes.
 */
function allowedChurn(
  demand: Demand,
  { scale, options, best }: { scale: typeof full; options: HitOptions; best: Comparison['best'] },
): number {
  const settled = { ...options, countFromSlot: settledDay * slotsPerDay, policy: best.name };
  const writtenBytes = runReactive(demand, settled).writtenBytes - best.tally.writtenBytes;
  const boxes = scale.boxesBySite.reduce((sum, count) => sum + count, 0);
  const perBoxDay = writtenBytes / boxes / (scale.warmDays - settledDay);
  return perBoxDay / options.boxBytes / writesGoal;
}

function catalogueBytes({ catalogue }: Demand, titles: number): number {
  return catalogue.fileBytes.subarray(0, titles * rungCount).reduce((sum, bytes) => sum + bytes, 0);
}

function rowsOf({ demand, ours, others, best, capacityDays }: Comparison): string[][] {
  return [{ name: 'planned', tally: ours }, ...others].map(({ name, tally }) => [
    ...[demand, name, hitRatio(tally).toFixed(4), (hitRatio(tally) / hitRatio(best.tally)).toFixed(3)],
    ...[tally.askedBytes, tally.writtenBytes].map(
      (bytes) => `${(bytes / capacityDays).toFixed(3)} × capacity`,
    ),
    (tally.writtenBytes / ours.writtenBytes).toFixed(1),
  ]);
}

/** The worst of all demands. */
function writesFigure(compared: readonly Comparison[]): Figure {
  const worst = least(compared, ({ ours, best }) => best.tally.writtenBytes / ours.writtenBytes);
  const perDay = (tally: Tally): number => (100 * tally.writtenBytes) / worst.capacityDays;
  const [ours, theirs] = [perDay(worst.ours), perDay(worst.best.tally)];
  return {
    ...{ name: 'placement.writes', ours, peer: worst.best.name, theirs, unit: '% of capacity a day' },
    ...{ ratio: theirs / ours, goal: writesGoal, holds: theirs / ours >= writesGoal },
  };
}

function hitRatio({ hitBytes, askedBytes }: Tally): number {
  return hitBytes / askedBytes;
}

function least<Item>(items: readonly Item[], valueOf: (item: Item) => number): Item {
  return items.reduce((lowest, item) => (valueOf(item) < valueOf(lowest) ? item : lowest));
}

function notesOf({ boxesBySite, days, warmDays, titles, seed }: typeof full): string[] {
  const boxes = boxesBySite.reduce((sum, count) => sum + count, 0);
  return [
    `Hits and writes: ${boxes} boxes in ${boxesBySite.length} sites, ${days - warmDays} nights after ${warmDays} to warm up, ${titles} titles ` +
      `and 10 launches a night, seed ${seed}. A box takes ${boxShare * 100} % of the catalogue. Of each pair of demands the figure is of the worse one.`,
    'Demand: Zipf over titles, a quarter of it by the taste of each site; so many percent of the titles change ranks between two days at random; ' +
      'five renditions of which the best has 45 % of the viewings; half of the viewings end early; more in the evening and on weekends.',
    'Reactive: a title belongs to one box of its site; ten minutes of a rendition are an object. Planned: by the control plane’s placement with its ' +
      'defaults, from the sessions that have begun and what was served before the plan; launches by a forecast that is ' +
      'off by an octave as standard deviation; plans every two hours and fills from 02:00 to 14:00. Only titles to which steering would send are hit. No box is bound by its line.',
    `Planned fill may change a ${writesGoal}th of what the best reactive policy wrote on the same demand in days ${settledDay + 1} to ${warmDays}, before those that count, and takes its time under its cap. Whole ladders are for boxes that ` +
      'refuse what they do not hold (`miss: refuse`). Belady is told the future, and is no peer.',
  ];
}
