import type { SourceFailure } from '../../../../appliance/fill/source-failure.ts';
import type { FillWay } from '../../../../appliance/core/choose-way.ts';
import type { Random } from '../sampling.ts';
import type { SimBox } from './box.ts';

/** Bytes per second of one transfer inside a site, and between sites. */
const nearBytesPerSecond = 200e6;
const farBytesPerSecond = 20e6;
/** Chance that a chunk arrives with a wrong byte. */
const corruptChance = 1e-4;

interface Link {
  up: boolean;
  /** 1 while it is well. */
  speed: number;
  /** Grows with every loss: what was under way then is lost. */
  losses: number;
}

/** Links between sites and the origin; which of them are up, and how fast. */
export class SimNetwork {
  readonly #links = new Map<string, Link>();
  readonly #boxes: ReadonlyMap<string, SimBox>;
  readonly #random: Random;

  constructor(boxes: ReadonlyMap<string, SimBox>, random: Random) {
    this.#boxes = boxes;
    this.#random = random;
  }

  /** The link of a site, or of the origin, to the others. */
  link(site: string): Link {
    const known = this.#links.get(site);
    if (known !== undefined) return known;
    const made = { up: true, speed: 1, losses: 0 };
    this.#links.set(site, made);
    return made;
  }

  lose(site: string): void {
    const link = this.link(site);
    link.up = false;
    link.losses++;
  }

  /** How long some bytes take on their way, and how they arrive: to be asked at the end. */
  send(
    way: FillWay,
    to: SimBox,
    transfer: { file: string; bytes: number },
  ): { ms: number; outcome: () => 'good' | SourceFailure } {
    const links = this.#path(way, to);
    const losses = links.map((link) => link.losses);
    const speed = links.reduce((slowest, link) => Math.min(slowest, link.speed), 1);
    const bytesPerSecond = way.kind === 'peer' ? nearBytesPerSecond : farBytesPerSecond * speed;
    const outcome = (): 'good' | SourceFailure => {
      const isCut = links.some((link, index) => !link.up || link.losses !== losses[index]);
      if (isCut) return { kind: 'fails', detail: 'the link is down' };
      const source = this.#boxes.get(way.node);
      if (source?.isUp === false) return { kind: 'fails', detail: 'the box is down' };
      if (source?.held.has(transfer.file) === false) return { kind: 'absent' };
      if (this.#random() < corruptChance) return { kind: 'lies', detail: 'a chunk is wrong' };
      return 'good';
    };
    return { ms: 1 + (transfer.bytes / bytesPerSecond) * 1000, outcome };
  }

  /** Whether a transfer that way could succeed now. */
  reaches(way: FillWay, to: SimBox, file: string): boolean {
    const source = this.#boxes.get(way.node);
    return (
      this.#path(way, to).every(({ up }) => up) &&
      (source === undefined || (source.isUp && source.held.has(file)))
    );
  }

  #path(way: FillWay, to: SimBox): Link[] {
    if (way.kind === 'peer') return [];
    return [this.link(to.site), this.link(this.#boxes.get(way.node)?.site ?? 'origin')];
  }
}
