import type { KeyObject } from 'node:crypto';

import type { KeyUse, Revocations } from '../../common/contract/documents.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import type { ApplianceConfig } from '../config.ts';
import type { Admission, LoadJudgement } from '../core/judge-load.ts';
import { BundleIndex } from '../engine/bundle-index.ts';
import { createEngine } from '../engine/create-engine.ts';
import type { Engine, EngineAddress, EngineShare, EngineTls, InheritedSocket } from '../engine/engine.ts';
import type { NativeAddon } from '../engine/native-addon.ts';
import { OpenTexts } from '../engine/open-texts.ts';
import { TokenGate } from '../engine/token-gate.ts';
import { withBundles, type Misses } from '../pull/misses.ts';
import { ServingRecording } from '../records/serving-recording.ts';
import type { ContentSource } from '../store/content.ts';
import { RevocationSet } from '../uplink/revocation-set.ts';
import { LoopWatch } from './loop-watch.ts';
import { SessionBook } from './session-book.ts';
import type { BoxState, ServedListener, ServingLoad, ServingReading, ServingUnit } from './unit.ts';

export interface LocalServingOptions {
  config: ApplianceConfig;
  /** The box's node id. */
  name: string;
  version: string;
  clock: Clock;
  log: Log;
  /** Finds the key that may verify now what was signed with `kid`. */
  findKey: (kid: string, use: KeyUse) => KeyObject | undefined;
  content: ContentSource;
  /** Absent where what is not held is refused. */
  misses: Misses | undefined;
  openFiles: () => number;
  /** Where this process counts. */
  metrics: Metrics;
  /** What `/metrics` shows; what this process counts, unless given. */
  metricsText?: () => Promise<string>;
  onServed: ServedListener;
  /** Absent where one process serves alone. */
  share?: EngineShare;
  addon: NativeAddon | undefined;
  listenAt: EngineAddress | InheritedSocket;
}

const tokenCacheBytes = 16 * 2 ** 20;
const bundleFilesMax = 500_000;
const sessionsMax = 100_000;

/** Serves from this process: the whole box where there are no workers, and inside each of them. */
export class LocalServing implements ServingUnit {
  readonly sessions: SessionBook;
  readonly #options: LocalServingOptions;
  readonly #revocations = new RevocationSet();
  readonly #bundles: BundleIndex;
  readonly #gate: TokenGate;
  readonly #texts: OpenTexts;
  readonly #recording: ServingRecording;
  readonly #engine: Engine;
  readonly #loop: LoopWatch;

  constructor(options: LocalServingOptions) {
    const { clock, content, misses, findKey, name, version, metrics, metricsText } = options;
    this.#options = options;
    this.sessions = new SessionBook({ clock, sessionsMax });
    const bundles = misses === undefined ? content : withBundles(content, misses);
    this.#bundles = new BundleIndex({ content: bundles, filesMax: bundleFilesMax });
    this.#gate = new TokenGate({
      findKey: (kid) => findKey(kid, 'tokens'),
      bundles: this.#bundles,
      revocations: this.#revocations,
      sessions: this.sessions,
      clock,
      cacheBytes: tokenCacheBytes,
    });
    this.#texts = new OpenTexts({
      name,
      version,
      metricsText: metricsText ?? (() => metrics.text()),
      clock,
      findAccessKey: (kid) => findKey(kid, 'access'),
    });
    const { config, log, onServed } = options;
    const { dataDir, accessLog } = config;
    const isOurs = (id: string): boolean => this.#bundles.isKnown(id);
    this.#recording = new ServingRecording({ dataDir, accessLog, metrics, onServed, isOurs, clock, log });
    this.#engine = this.#createEngine();
    this.#loop = new LoopWatch(clock);
  }

  async start(): Promise<EngineAddress> {
    const address = await this.#engine.listen(this.#options.listenAt);
    this.#loop.start();
    return address;
  }

  keysChanged(): void {
    this.#gate.verifyAgain();
    this.#engine.tokensChanged();
  }

  setRevocations(revocations: Revocations): void {
    this.#revocations.replace(revocations);
    this.#engine.tokensChanged();
  }

  /** What is held of it has changed. */
  forget(file: string): void {
    this.#bundles.forget(file);
    this.#engine.forget(file);
  }

  setState(state: BoxState): void {
    this.#texts.state = state;
  }

  admit(admission: Admission): void {
    this.#engine.admit(admission);
  }

  shed(judgement: LoadJudgement): void {
    this.#engine.shed(judgement);
  }

  setTls(tls: EngineTls | undefined): void {
    this.#engine.setTls(tls);
  }

  setTicketKeys(keys: readonly Buffer[]): void {
    this.#engine.setTicketKeys(keys);
  }

  setAddressKey(key: Buffer): void {
    if (!this.#options.config.accessLog.addresses) return;
    this.#recording.setAddressKey(key);
    this.#engine.setAddressKey(key);
  }

  load(): ServingLoad {
    return {
      ...this.#engine.load(),
      liveSessions: this.sessions.count(),
      openFiles: this.#options.openFiles(),
    };
  }

  readLoad(): ServingReading {
    return { ...this.#engine.readLoad(), loopDelayMs: this.#loop.takeLongestMs() };
  }

  reasons(): string[] {
    return [];
  }

  metricsText(): Promise<string> {
    return this.#options.metrics.text();
  }

  async close(deadlineMs: number): Promise<void> {
    this.#loop.stop();
    await this.#engine.close(deadlineMs);
    await this.#recording.close();
  }

  #createEngine(): Engine {
    const { config, name, clock, log, content, misses, share, addon } = this.#options;
    return createEngine({
      name,
      gate: this.#gate,
      content,
      misses,
      records: this.#recording.records,
      limits: config,
      share,
      addon,
      filesMax: config.openFilesMax,
      // The box's memory, of which each worker has its part.
      readMemoryBytes: Math.ceil(config.readBufferBytes / (share?.workers ?? 1)),
      counters: this.#recording.counters,
      requestRecords: this.#recording.recorder,
      clock,
      log,
      health: () => this.#texts.health(),
      probe: () => this.#texts.probe(),
      metrics: (caller) => this.#texts.metrics(caller),
    });
  }
}
