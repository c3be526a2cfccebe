import type { BoxReport } from '../../common/contract/health.ts';
import type { HeartbeatReply } from '../../common/contract/nodes.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { assert } from '../../common/runtime/errors.ts';
import type { ListenAddress } from '../../common/runtime/listen.ts';
import type { ApplianceConfig } from '../config.ts';
import { FailureWindow } from '../core/failure-window.ts';
import type { Drain } from '../drain.ts';
import { hasRouteFeed } from '../routes/routes-part.ts';
import { LineRate } from '../engine/line-rate.ts';
import type { Filler } from '../fill/filler.ts';
import type { ServingLoad, ServingUnit } from '../serving/unit.ts';
import type { Storage } from '../storage.ts';
import type { HeartbeatFacts } from './heartbeat.ts';
import { reachableAt, type CertifiedNames, type Reachability } from './reachable-at.ts';

/** What is asked of a document keeper here. */
export interface DocumentStatus {
  readonly sequence: number;
  reasons(): string[];
}

export interface BoxStatusOptions {
  config: ApplianceConfig;
  clock: Clock;
  serving: Pick<ServingUnit, 'load' | 'reasons'>;
  drain: Drain;
  storage: Storage;
  revocations: DocumentStatus;
  /** Absent where the box speaks plain HTTP. */
  tls: { readonly certificate: CertifiedNames; reasons(): string[] } | undefined;
  routes: { readonly sourceReasons: readonly string[] };
  /** Absent at an origin. */
  fill: { filler: Pick<Filler, 'reasons'>; manifest: DocumentStatus } | undefined;
}

/** Clocks further apart than this are a reason to be unwell (ADR 6). */
const skewMsMax = 30_000;
const reasonsMax = 16;
const reasonLengthMax = 200;

/** What the box says of itself, gathered from its parts; and what the control plane answers to it. */
export class BoxStatus {
  readonly #options: BoxStatusOptions;
  readonly #line: LineRate;
  readonly #failures = new FailureWindow();
  #reachability: Reachability | undefined;
  #skewMs = 0;

  constructor(options: BoxStatusOptions) {
    this.#options = options;
    const { host, lineMbitPerSecond } = options.config;
    this.#line = new LineRate({ host, mbitPerSecond: lineMbitPerSecond });
  }

  /** How others reach it; known once it listens. */
  get url(): string {
    assert(this.#reachability !== undefined, 'the box does not listen yet');
    return this.#reachability.url;
  }

  /** Throws CONFIG_INVALID when nobody could reach it. */
  listensAt(bound: ListenAddress): void {
    const { config, tls } = this.#options;
    const { publicUrl, addresses } = config;
    this.#reachability = reachableAt(bound, { publicUrl, addresses, certificate: tls?.certificate });
  }

  /** Takes what the control plane answered to a heartbeat. */
  heard(reply: HeartbeatReply, sentAtMs: number): void {
    const { clock, drain } = this.#options;
    // Read between sending and hearing, so the middle of the two is when it was.
    this.#skewMs = Math.abs(reply.nowMs - (sentAtMs + clock.nowMs()) / 2);
    drain.setWanted(reply.drainWanted);
  }

  async facts(): Promise<HeartbeatFacts> {
    const { config, serving, drain, revocations, fill } = this.#options;
    const { latitude, longitude } = config.place;
    const load = serving.load();
    const drainEtaMs = drain.etaMs();
    return {
      state: drain.state,
      url: this.url,
      addresses: this.#reachability?.addresses ?? [],
      place: latitude === undefined || longitude === undefined ? undefined : { latitude, longitude },
      routeFeed: hasRouteFeed(config),
      ...(await this.#usage()),
      lineBytesPerSecond: (await this.#line.read())?.bytesPerSecond,
      ...(config.miss === 'fetch' && { mayFetch: true }),
      ...(config.miss === 'redirect' && { mayRedirect: true }),
      headroom: load.headroom,
      liveRequests: load.liveRequests,
      liveSessions: load.liveSessions,
      drainEtaMs,
      fillManifestSequence: fill?.manifest.sequence ?? 0,
      revocationsSequence: revocations.sequence,
      reasons: this.#reasons(load),
    };
  }

  /** What steering is told on its stream. */
  report(): BoxReport {
    const { clock, serving, drain, storage } = this.#options;
    const load = serving.load();
    const drainEtaMs = drain.etaMs();
    const disks = storage.diskStates();
    return {
      sentAtMs: Math.round(clock.nowMs()),
      state: drain.state,
      ...(drainEtaMs !== undefined && { drainEtaMs }),
      headroom: load.headroom,
      level: load.level,
      liveRequests: load.liveRequests,
      liveSessions: load.liveSessions,
      connections: load.connections,
      failures: this.#failures.lately(load.failures, clock.monotonicMs()),
      disks: { serving: disks.serving, all: disks.serving + disks.draining + disks.out },
      reasons: this.#reasons(load),
    };
  }

  #reasons(load: ServingLoad): string[] {
    const { serving, storage, revocations, routes, fill, tls } = this.#options;
    const all = [
      ...(this.#skewMs > skewMsMax ? ['CLOCK_SKEW'] : []),
      ...(this.#storageFails ? ['STORE_UNAVAILABLE'] : []),
      ...storage.reasons(),
      ...serving.reasons(),
      ...load.reasons,
      ...revocations.reasons(),
      ...(tls?.reasons() ?? []),
      ...routes.sourceReasons,
      ...(fill === undefined ? [] : [...fill.manifest.reasons(), ...fill.filler.reasons()]),
    ];
    return [...new Set(all)].slice(0, reasonsMax).map((reason) => reason.slice(0, reasonLengthMax));
  }

  #storageFails = false;

  /** A disk that cannot be asked must not keep the box from saying so. */
  async #usage(): Promise<{ capacityBytes: number; usedBytes: number }> {
    try {
      const usage = await this.#options.storage.usage();
      this.#storageFails = false;
      return usage;
    } catch {
      this.#storageFails = true;
      return { capacityBytes: 0, usedBytes: 0 };
    }
  }
}
