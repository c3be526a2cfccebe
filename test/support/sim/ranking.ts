import { pick } from '../seeded.ts';
import { shuffle, type Random } from './sampling.ts';

/** One of so many launches is a big one. */
const bigLaunchOf = 10;
/** A big launch enters among so many at the head; any other one somewhere in the upper half. */
const bigLaunchRanks = 20;

/** Who is how popular: titles in the order of their ranks, the first one first. */
export class Ranking {
  readonly titles: number[];

  constructor(titleCount: number, random: Random) {
    this.titles = Array.from({ length: titleCount }, (_, title) => title);
    shuffle(this.titles, random);
  }

  /**
   * Between two days: each title leaves its rank with the given chance, and those that do are dealt out again among the
   * ranks that they left. A title of the head falls anywhere, and any other rises in its place.
   */
  churn(share: number, random: Random): void {
    const ranks = [...this.titles.keys()].filter(() => random() < share);
    const dealt = ranks.map((rank) => this.titles[rank]!);
    shuffle(dealt, random);
    ranks.forEach((rank, index) => (this.titles[rank] = dealt[index]!));
  }

  /** Puts a new title in at its rank; those from there on fall by one. */
  launch(title: number, rank: number): void {
    this.titles.splice(rank, 0, title);
  }
}

/** The rank at which one of the day's launches enters, from 0. */
export function launchRank(
  index: number,
  { titleCount, random }: { titleCount: number; random: Random },
): number {
  const isBig = index % bigLaunchOf === 0;
  return pick(random, Math.min(titleCount, isBig ? bigLaunchRanks : titleCount >> 1));
}
