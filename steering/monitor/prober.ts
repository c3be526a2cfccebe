import { Limiter } from '../../common/core/limiter.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { noteLoss, settle, type FlapPolicy, type FlapState } from '../core/flap.ts';
import {
  doubt,
  families,
  isSeenAlike,
  observe,
  unprobed,
  type Family,
  type HealthPolicy,
  type LastProbe,
  type ProbeState,
} from '../core/health.ts';
import type { BoxEvidence } from '../core/own-view.ts';
import type { FlapBook } from './flap-book.ts';
import type { Aim, Probe } from './http-probe.ts';

/** A box whose health is watched. */
export interface Target {
  readonly id: string;
  readonly url: string;
  /** Addresses by family, in text; none in both where only the URL's name is known. */
  readonly addresses: Readonly<Record<Family, readonly string[]>>;
}

export interface ProberOptions {
  readonly clock: Clock;
  readonly openProbe: (aim: Aim) => Probe;
  readonly policy: HealthPolicy;
  readonly flap: FlapPolicy;
  /** Where it is kept how boxes flap. */
  readonly flaps: Pick<FlapBook, 'recall' | 'note'>;
  /** From the end of a probe to the start of the next. */
  readonly intervalMs: number;
  /** The same after an outcome that speaks against the verdict: a doubt is settled soon. */
  readonly recheckMs: number;
  /** Probes at one time, and in a second: with more boxes than that allows each is probed less often. */
  readonly probesMax: number;
  readonly probesPerSecondMax: number;
  /** Something that decides has changed. */
  readonly onChange: () => void;
}

/** What the own probes have seen of a box. */
export type ProbedBox = Omit<BoxEvidence, 'report'>;

export interface Prober {
  /** Watches exactly these from now on. One that is new, or has moved, starts as unknown; how it flapped is remembered. */
  watch(targets: readonly Target[]): void;
  /** What was seen of each box, in the order in which they are watched. Of a box of which nothing else is seen than before it is the same object. */
  evidence(): readonly ProbedBox[];
  /** When a box was probed last, over whichever family. */
  lastProbe(id: string): LastProbe;
  /** The box's stream has ended or is silent: it is probed now, and one failure decides. */
  doubt(id: string): void;
  stop(): Promise<void>;
}

interface Watched {
  readonly aim: Aim;
  readonly probe: Probe;
  /** It is watched no longer. */
  isLeft: boolean;
  state: ProbeState;
  flap: FlapState;
  /** Ends the sleep that is under way. */
  sleeping: AbortController;
  hurried: boolean;
  done: Promise<void>;
}

/** A box with the ways to it that are probed. */
interface Box {
  readonly target: Target;
  readonly ways: readonly Watched[];
  seen: ProbedBox;
}

/** Starts a prober that asks every box over each of its families on its own, a bounded number at a time. */
export function createProber(options: ProberOptions): Prober {
  return new BoxProber(options);
}

class BoxProber implements Prober {
  readonly #options: ProberOptions;
  readonly #slots: Limiter;
  #boxes = new Map<string, Box>();
  #aims = 0;
  /** Undefined where it is to be put together anew. */
  #evidence: readonly ProbedBox[] | undefined;
  /** Boxes of which something else was seen since it was put together. */
  readonly #turned = new Set<string>();

  constructor(options: ProberOptions) {
    this.#options = options;
    this.#slots = new Limiter({ runsMax: options.probesMax });
  }

  watch(targets: readonly Target[]): void {
    const before = this.#boxes;
    const added: Watched[] = [];
    this.#boxes = new Map();
    this.#aims = 0;
    for (const target of targets) {
      const known = before.get(target.id);
      // A new map moves few of a thousand boxes, and whoever takes it answers meanwhile.
      const isThere = known !== undefined && isReachedAlike(known.target, target);
      const box = isThere ? known : this.#openBox(target, known?.ways ?? [], added);
      this.#boxes.set(target.id, box);
      this.#aims += box.ways.length;
    }
    for (const [id, { ways }] of before) {
      const kept = this.#boxes.get(id)?.ways;
      if (kept !== ways) for (const way of ways) if (kept?.includes(way) !== true) release(way);
    }
    this.#evidence = undefined;
    for (const each of added) each.done = this.#follow(each);
  }

  evidence(): readonly ProbedBox[] {
    for (const id of this.#turned) {
      const box = this.#boxes.get(id);
      if (box !== undefined) box.seen = evidenceOf(id, box.ways);
      this.#evidence = undefined;
    }
    this.#turned.clear();
    return (this.#evidence ??= Array.from(this.#boxes.values(), ({ seen }) => seen));
  }

  lastProbe(id: string): LastProbe {
    let lastProbeMs: number | undefined;
    let probeMs: number | undefined;
    for (const { state } of this.#boxes.get(id)?.ways ?? []) {
      if ((state.lastProbeMs ?? 0) > (lastProbeMs ?? 0)) lastProbeMs = state.lastProbeMs;
      if (state.probeMs !== undefined) probeMs = Math.max(probeMs ?? 0, state.probeMs);
    }
    return { lastProbeMs, probeMs };
  }

  doubt(id: string): void {
    for (const watched of this.#boxes.get(id)?.ways ?? []) {
      watched.state = doubt(watched.state, this.#options.policy);
      watched.hurried = true;
      watched.sleeping.abort();
    }
  }

  async stop(): Promise<void> {
    const all = [...this.#boxes.values()].flatMap(({ ways }) => ways);
    this.#boxes = new Map();
    this.#evidence = undefined;
    all.forEach(release);
    await Promise.all(all.map(({ done }) => done));
  }

  #openBox(target: Target, known: readonly Watched[], added: Watched[]): Box {
    const ways = aimsOf(target).map((aim) => {
      const same = known.find((each) => isSame(each.aim, aim));
      if (same !== undefined) return same;
      const made = this.#open(aim);
      added.push(made);
      return made;
    });
    return { target, ways, seen: evidenceOf(target.id, ways) };
  }

  #open(aim: Aim): Watched {
    const { openProbe, clock, flaps } = this.#options;
    return {
      ...{ aim, probe: openProbe(aim), isLeft: false, sleeping: new AbortController() },
      ...{ state: unprobed(clock.monotonicMs()), flap: flaps.recall(aim), hurried: false },
      done: Promise.resolve(),
    };
  }

  async #follow(watched: Watched): Promise<void> {
    const isOver = (): boolean => watched.isLeft;
    const isHurried = (): boolean => watched.hurried;
    while (!isOver()) {
      watched.hurried = false;
      const observation = await this.#slots.run(() => watched.probe.ask());
      // It may have been let go while the probe was under way.
      if (isOver()) break;
      this.#take(watched, observation);
      if (!isHurried()) await this.#sleep(watched);
    }
  }

  #take(watched: Watched, observation: Parameters<typeof observe>[1]): void {
    const { clock, policy, flap, flaps, onChange } = this.#options;
    const before = { state: watched.state, suppressed: watched.flap.suppressed };
    const monotonicMs = clock.monotonicMs();
    watched.state = observe(watched.state, observation, { nowMs: clock.nowMs(), monotonicMs, policy });
    watched.flap = settle(watched.flap, monotonicMs, flap);
    const { verdict } = watched.state;
    if (verdict === 'down' && (before.state.verdict === 'up' || before.state.verdict === 'draining')) {
      watched.flap = noteLoss(watched.flap, monotonicMs, flap);
      flaps.note(watched.aim, watched.flap);
    }
    const isSuppressedAlike = watched.flap.suppressed === before.suppressed;
    if (!isSuppressedAlike || !isSeenAlike(watched.state, before.state)) this.#turned.add(watched.aim.id);
    if (verdict !== before.state.verdict || !isSuppressedAlike) onChange();
  }

  async #sleep(watched: Watched): Promise<void> {
    const { clock, recheckMs, intervalMs, probesPerSecondMax } = this.#options;
    const isDoubted = watched.state.against > 0;
    const spacedMs = Math.max(intervalMs, (this.#aims * 1000) / probesPerSecondMax);
    // Made anew only where it was used up: there are hundreds of sleeps a second.
    if (watched.sleeping.signal.aborted) watched.sleeping = new AbortController();
    const { signal } = watched.sleeping;
    await clock.sleep(isDoubted ? recheckMs : spacedMs, { signal }).catch(() => undefined);
  }
}

function evidenceOf(id: string, watched: readonly Watched[]): ProbedBox {
  return {
    id,
    probes: new Map(watched.map(({ aim, state }) => [aim.family, state])),
    suppressed: new Set(watched.filter(({ flap }) => flap.suppressed).map(({ aim }) => aim.family)),
  };
}

function release(watched: Watched): void {
  watched.isLeft = true;
  watched.probe.close();
  watched.sleeping.abort();
}

/** Whether the same is probed of both. */
function isReachedAlike(a: Target, b: Target): boolean {
  return a.url === b.url && families.every((family) => a.addresses[family][0] === b.addresses[family][0]);
}

/** The first address of each family; a box that has told none is looked up by its name, in both. */
function aimsOf({ id, url, addresses }: Target): Aim[] {
  const isNamed = families.every((family) => addresses[family].length === 0);
  return families.flatMap((family): Aim[] => {
    const [address] = addresses[family];
    return address !== undefined || isNamed ? [{ id, url, family, address }] : [];
  });
}

function isSame(a: Aim, b: Aim): boolean {
  return a.url === b.url && a.family === b.family && a.address === b.address;
}
