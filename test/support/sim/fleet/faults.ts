import { pick } from '../../seeded.ts';
import type { EventQueue } from '../event-queue.ts';
import type { Random } from '../sampling.ts';
import type { SimBox } from './box.ts';
import type { SimFiller } from './filler.ts';
import type { SimNetwork } from './network.ts';
import type { SimSite } from './sites.ts';

/** How many things have failed. */
export interface Faults {
  disks: number;
  boxes: number;
  links: number;
  slowLinks: number;
  origins: number;
}

export interface FaultOptions {
  readonly queue: EventQueue;
  readonly random: Random;
  readonly boxes: ReadonlyMap<string, SimBox>;
  readonly fillers: ReadonlyMap<string, SimFiller>;
  readonly network: SimNetwork;
  readonly sites: readonly SimSite[];
  readonly nights: number;
  /** Called after what placement depends on has changed. */
  readonly replan: () => void;
}

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** Far more than happens: a disk dies once in 40 nights, and boxes, links and the origin are lost for a while. */
const chancePerNight = { disk: 1 / 40, box: 1 / 10, link: 1 / 5, slowLink: 1 / 5, origin: 1 / 10 };

/** Draws all faults of the nights to come; the counts grow as they happen. */
export function breakThings(options: FaultOptions): Faults {
  const { boxes, network, sites, random } = options;
  const faults: Faults = { disks: 0, boxes: 0, links: 0, slowLinks: 0, origins: 0 };
  for (let night = 0; night < options.nights; night++) {
    const between = (
      chance: number,
      span: { hoursMin: number; hoursMax: number },
      turn: (isOver: boolean) => void,
    ) => {
      if (random() >= chance) return;
      const fromMs = options.queue.nowMs + night * dayMs + random() * dayMs;
      const hours = span.hoursMin + random() * (span.hoursMax - span.hoursMin);
      options.queue.at(fromMs, () => turn(false));
      options.queue.at(fromMs + hours * hourMs, () => turn(true));
    };
    for (const box of boxes.values()) {
      between(
        chancePerNight.disk * box.disks.length,
        { hoursMin: 12, hoursMax: 72 },
        failDisk(box, options, faults),
      );
      between(chancePerNight.box, { hoursMin: 0.05, hoursMax: 6 }, failBox(box, options, faults));
    }
    for (const { name } of sites) {
      between(chancePerNight.link, { hoursMin: 0.05, hoursMax: 6 }, (isOver) => {
        if (isOver) network.link(name).up = true;
        else network.lose(name);
        if (!isOver) faults.links++;
      });
      between(chancePerNight.slowLink, { hoursMin: 1, hoursMax: 12 }, (isOver) => {
        network.link(name).speed = isOver ? 1 : 0.1;
        if (!isOver) faults.slowLinks++;
      });
    }
    between(chancePerNight.origin, { hoursMin: 0.5, hoursMax: 12 }, (isOver) => {
      if (isOver) network.link('origin').up = true;
      else network.lose('origin');
      if (!isOver) faults.origins++;
    });
  }
  return faults;
}

function failDisk(box: SimBox, { random, replan }: FaultOptions, faults: Faults): (isOver: boolean) => void {
  let lost: number | undefined;
  return (isOver) => {
    if (isOver) {
      if (lost !== undefined) box.replaceDisk(lost);
    } else {
      // A box keeps one disk: without any it is a lost box.
      const working = box.working();
      if (working.length < 2) return;
      lost = working[pick(random, working.length)]!.disk;
      box.loseDisk(lost);
      faults.disks++;
    }
    replan();
  };
}

function failBox(
  box: SimBox,
  { queue, fillers, replan }: FaultOptions,
  faults: Faults,
): (isOver: boolean) => void {
  let wasUp = false;
  return (isOver) => {
    if (isOver && !wasUp) return;
    if (!isOver) {
      wasUp = box.isUp;
      if (!wasUp) return;
      faults.boxes++;
    }
    box.downSinceMs = isOver ? undefined : queue.nowMs;
    fillers.get(box.id)!.turned();
    replan();
  };
}
