import { closeSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';

import type { Revocations } from '../../common/contract/documents.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { assert, coded } from '../../common/runtime/errors.ts';
import type { Keyring } from '../../common/runtime/keyring.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import type { ApplianceConfig } from '../config.ts';
import { batches } from '../core/batches.ts';
import type { Admission, LoadJudgement } from '../core/judge-load.ts';
import type { EarlyWorkers } from '../early-start.ts';
import type { EngineAddress, EngineTls } from '../engine/engine.ts';
import type { NativeAddon } from '../engine/native-addon.ts';
import type { PullLink } from '../pull/pull-link.ts';
import { answerPull } from '../pull/pull-messages.ts';
import type { FileStore } from '../store/file-store.ts';
import { BoxMetrics } from './box-metrics.ts';
import { openGround, type ServingGround } from './ground.ts';
import { holdingsMessage, SharedHoldings, tellHoldings } from './holdings-batch.ts';
import { batchMax, type FromWorker, type Metric, type ToWorker, type WorkerReport } from './messages.ts';
import { SessionBook } from './session-book.ts';
import {
  sumLoads,
  sumReadings,
  type BoxState,
  type ServedListener,
  type ServingLoad,
  type ServingReading,
  type ServingUnit,
} from './unit.ts';
import { WorkerSlot, type WorkerLife } from './worker-slot.ts';

export interface PoolServingOptions {
  config: ApplianceConfig;
  name: string;
  version: string;
  clock: Clock;
  log: Log;
  keyring: Keyring;
  /** What is held; absent at an origin, whose workers open the blobs themselves. */
  store: FileStore | undefined;
  /** Absent where what is not held is refused. */
  pulls?: PullLink | undefined;
  /** What this process counts; the workers' is added to it. */
  metrics: Metrics;
  onServed: ServedListener;
  addon: NativeAddon | undefined;
  /** The first workers, where they were started already. */
  early?: EarlyWorkers | undefined;
}

const tickMs = 250;
const sessionsMax = 100_000;
const metricsWaitMs = 1000;
/** A worker that reports four times a second and says nothing for so long is stuck. */
const silentMsMax = 20_000;
/** The same while it starts: the holdings of a large box take their time. */
const startMsMax = 60_000;
const none: ServingReading = {
  connections: 0,
  liveRequests: 0,
  diskDelayMs: 0,
  loopDelayMs: 0,
  ttfbCounts: [],
  sentBytes: 0,
};

/**
 * Serves by several processes, each on a socket of its own that this one keeps (ADR 10): when a worker dies, the next one
 * inherits the socket with whoever waits in its queue, and the connections of the others go on.
 */
export class PoolServing implements ServingUnit {
  readonly #options: PoolServingOptions;
  readonly #sessions: SessionBook;
  readonly #boxMetrics = new BoxMetrics();
  readonly #holdings: SharedHoldings | undefined;
  /** The last said of each kind, for workers that come later. */
  readonly #standing = new Map<ToWorker['kind'], ToWorker>();
  #slots: WorkerSlot[] = [];
  /** What workers that are gone had counted. */
  #past = none;
  #metricsWaiters: (() => void)[] = [];
  #metricsAsked = 0;
  #timer: NodeJS.Timeout | undefined;
  #capsFd: number | undefined;
  #tickedAtMs = 0;
  #isClosing = false;

  constructor(options: PoolServingOptions) {
    const { clock, metrics, store } = options;
    this.#options = options;
    this.#sessions = new SessionBook({ clock, sessionsMax });
    this.#holdings = store && new SharedHoldings(store);
    if (store !== undefined) {
      tellHoldings(store, (message) => {
        this.#broadcast(message);
      });
    }
    this.#registerGauges(metrics);
    this.keysChanged();
  }

  async start(): Promise<EngineAddress> {
    const { config, clock, log, early, addon } = this.#options;
    const ground = early?.ground ?? (await openGround(config, addon));
    const { maker, sockets, capsFd } = ground;
    if (this.#isClosing) {
      for (const socket of sockets) socket.close();
      throw coded('ABORTED', 'the box was closed before it served');
    }
    this.#noteCaps(ground);
    this.#slots = sockets.map((socket, index) => {
      return new WorkerSlot({
        index,
        socket,
        maker,
        capsFd,
        early: early?.processes[index],
        clock,
        log,
        greet: (life) => this.#greet(life, capsFd !== undefined),
        onMessage: (life, message) => {
          this.#hear(life, message);
        },
        onGone: (life) => {
          this.#gone(life);
        },
      });
    });
    this.#tickedAtMs = clock.monotonicMs();
    this.#timer = setInterval(() => {
      this.#tick();
    }, tickMs);
    // All to their end: a slot that starts still could not be closed.
    const starts = await Promise.allSettled(this.#slots.map((slot) => slot.start()));
    for (const start of starts) if (start.status === 'rejected') throw start.reason;
    return maker.address;
  }

  /** Without shared memory each worker has its part of every limit: worth a word, no reason not to serve. */
  #noteCaps({ capsFd, capsFailure }: ServingGround): void {
    this.#capsFd = capsFd;
    if (capsFailure === undefined) return;
    const told = 'workers have no memory to count in together: each has its part of the limits';
    this.#options.log.warn({ err: capsFailure }, told);
  }

  keysChanged(): void {
    const jws = this.#options.keyring.signed();
    if (jws !== undefined) this.#tell({ kind: 'keyset', jws });
  }

  setRevocations(revocations: Revocations): void {
    this.#tell({ kind: 'revocations', body: revocations });
  }

  setState(state: BoxState): void {
    this.#tell({ kind: 'state', state });
  }

  admit(admission: Admission): void {
    this.#tell({ kind: 'admit', admission });
  }

  shed({ level, headroom, reasons }: LoadJudgement): void {
    // Judged four times a second, and mostly the same: a hundredth is as fine as anybody needs it.
    const message: ToWorker = {
      kind: 'shed',
      level,
      headroom: Math.floor(headroom * 100) / 100,
      reasons: [...reasons],
    };
    if (!isDeepStrictEqual(message, this.#standing.get('shed'))) this.#tell(message);
  }

  setTls(tls: EngineTls | undefined): void {
    const certificates = tls?.certificates.map((each) => ({ ...each, names: [...each.names] })) ?? [];
    this.#tell({ kind: 'tls', ...(tls !== undefined && { tls: { certificates, h2: tls.h2 } }) });
  }

  setTicketKeys(keys: readonly Buffer[]): void {
    this.#tell({ kind: 'ticket-keys', keys: keys.map((key) => key.toString('base64')) });
  }

  setAddressKey(key: Buffer): void {
    this.#tell({ kind: 'address-key', key: key.toString('base64') });
  }

  load(): ServingLoad {
    const reports = this.#reports();
    const sum = sumLoads(reports.map(({ load }) => load));
    return {
      ...sum,
      // With nobody to serve there is no room either.
      headroom: this.#lives().some(({ isListening }) => isListening) ? sum.headroom : 0,
      liveSessions: this.#sessions.count(),
      openFiles: reports.reduce((all, { openFiles }) => all + openFiles, 0),
    };
  }

  readLoad(): ServingReading {
    const readings = this.#lives().map((life) => {
      const { diskDelayMs, loopDelayMs, report } = life;
      life.diskDelayMs = 0;
      life.loopDelayMs = 0;
      return { ...(report?.reading ?? none), diskDelayMs, loopDelayMs };
    });
    return sumReadings([this.#past, ...readings]);
  }

  reasons(): string[] {
    const failing = this.#slots.some(({ isFailing }) => isFailing) ? ['SERVING_WORKER_FAILED'] : [];
    return [...new Set([...failing, ...this.#reports().flatMap(({ reasons }) => reasons)])];
  }

  async metricsText(): Promise<string> {
    const { metrics } = this.#options;
    await Promise.all(this.#lives().map((life) => this.#askMetrics(life)));
    const own = (await metrics.registry.getMetricsAsJSON()) as unknown as Metric[];
    return this.#boxMetrics.text([own, ...this.#lives().map((life) => life.metrics)]);
  }

  async close(deadlineMs: number): Promise<void> {
    this.#isClosing = true;
    await Promise.all(this.#slots.map((slot) => slot.close(deadlineMs)));
    clearInterval(this.#timer);
    if (this.#capsFd !== undefined) closeSync(this.#capsFd);
    this.#capsFd = undefined;
  }

  #lives(): WorkerLife[] {
    return this.#slots.flatMap(({ life }) => life ?? []);
  }

  #reports(): WorkerReport[] {
    return this.#lives().flatMap(({ report }) => report ?? []);
  }

  #tell(message: ToWorker): void {
    this.#standing.set(message.kind, message);
    this.#broadcast(message);
  }

  #broadcast(message: ToWorker): void {
    for (const { process } of this.#lives()) void process.send(message);
  }

  async #greet({ process, slot }: WorkerLife, hasCaps: boolean): Promise<void> {
    const { name, version, keyring, addon } = this.#options;
    const { enrolmentCode: _code, enrolmentCodeFile: _file, ...config } = this.#options.config;
    const { rootJwk } = keyring;
    const native = addon !== undefined;
    const shared = { config, nodeId: name, version, rootJwk, workers: config.workers, native, hasCaps };
    void process.send({ kind: 'init', ...shared, worker: slot.index });
    for (const message of this.#standing.values()) void process.send(message);
    for (const sessions of batches(this.#sessions.live(), batchMax))
      await process.send({ kind: 'sessions', sessions });
    await this.#holdings?.tell((message) => process.send(message));
    await process.send({ kind: 'start' });
  }

  #hear(life: WorkerLife, message: FromWorker): void {
    switch (message.kind) {
      case 'report':
        this.#takeReport(life, message);
        return;
      case 'listening':
        this.#options.log.debug({ worker: life.slot.index + 1, pid: life.process.pid }, 'a worker serves');
        return;
      case 'fault':
        void this.#inspect(life, message);
        return;
      case 'metrics':
        life.metrics = message.metrics;
        life.metricsId = Math.max(life.metricsId, message.id);
        for (const wake of this.#metricsWaiters) wake();
        return;
      case 'box-metrics-wanted':
        void this.#sendBoxMetrics(life, message.id);
        return;
      case 'pull':
        void this.#pull(life, message);
        return;
      case 'failed':
        return;
    }
  }

  /** Without an answer the worker's own time runs out, and it says UNAVAILABLE to who asked. */
  async #sendBoxMetrics({ process }: WorkerLife, id: number): Promise<void> {
    try {
      await process.send({ kind: 'box-metrics', id, text: await this.metricsText() });
    } catch (error) {
      this.#options.log.warn({ err: error }, 'the metrics of the box could not be summed');
    }
  }

  async #pull({ process }: WorkerLife, asked: Extract<FromWorker, { kind: 'pull' }>): Promise<void> {
    const { pulls } = this.#options;
    assert(pulls !== undefined, 'a worker asks for what is refused');
    await process.send(await answerPull(pulls, asked));
  }

  #takeReport(life: WorkerLife, report: WorkerReport): void {
    const { onServed } = this.#options;
    life.report = report;
    life.diskDelayMs = Math.max(life.diskDelayMs, report.reading.diskDelayMs);
    life.loopDelayMs = Math.max(life.loopDelayMs, report.reading.loopDelayMs);
    for (const session of report.sessions) this.#sessions.note(session);
    for (const [file, playBytes, fillBytes, pictureBytes] of report.served) {
      if (playBytes > 0) onServed(file, 'play', playBytes);
      if (fillBytes > 0) onServed(file, 'fill', fillBytes);
      if (pictureBytes > 0) onServed(file, 'picture', pictureBytes);
    }
  }

  #gone(life: WorkerLife): void {
    this.#boxMetrics.keep(life.metrics);
    const { ttfbCounts, sentBytes } = life.report?.reading ?? none;
    this.#past = sumReadings([this.#past, { ...none, ttfbCounts, sentBytes }]);
    for (const wake of this.#metricsWaiters) wake();
  }

  /** A worker found a file faulty; it is looked at here, where the truth is. */
  async #inspect(
    { process }: WorkerLife,
    { file, fault }: Extract<FromWorker, { kind: 'fault' }>,
  ): Promise<void> {
    const { store, log } = this.#options;
    assert(store !== undefined, 'an origin has no held files');
    try {
      // What a disk would not give once, it is not asked for again.
      if (fault === 'unreadable') store.foundUnreadable?.(file);
      // A removal is told to all; a file that is as it should be was changed while the worker looked.
      const isHeld = await store.inspect(file);
      const info = store.held.get(file);
      if (isHeld && info !== undefined) void process.send(holdingsMessage(store, { added: [[file, info]] }));
    } catch (error) {
      log.warn({ err: error, file }, 'a file that a worker found faulty could not be looked at');
    }
  }

  /** Resolves when the worker has said its metrics, or is gone or too slow: then its last ones count. */
  async #askMetrics(life: WorkerLife): Promise<void> {
    const id = ++this.#metricsAsked;
    const deadline = AbortSignal.timeout(metricsWaitMs);
    void life.process.send({ kind: 'metrics-wanted', id });
    while (life.metricsId < id && life.slot.life === life && !deadline.aborted) {
      const woken = Promise.withResolvers<void>();
      this.#metricsWaiters.push(woken.resolve);
      deadline.addEventListener('abort', () => {
        woken.resolve();
      });
      await woken.promise;
      this.#metricsWaiters = this.#metricsWaiters.filter((wake) => wake !== woken.resolve);
    }
  }

  #tick(): void {
    const nowMs = this.#options.clock.monotonicMs();
    const isLate = nowMs - this.#tickedAtMs > 4 * tickMs;
    this.#tickedAtMs = nowMs;
    for (const sessions of batches(this.#sessions.takeFresh(sessionsMax), batchMax))
      this.#broadcast({ kind: 'sessions', sessions });
    // Where this process stood still, what they said waits to be read.
    if (isLate) return;
    for (const life of this.#lives()) {
      const silentMs = nowMs - life.heardAtMs;
      if (silentMs > (life.isListening ? silentMsMax : startMsMax))
        life.giveUp(`it has said nothing for ${Math.round(silentMs / 1000)} s`);
    }
  }

  #registerGauges(metrics: Metrics): void {
    metrics.gauge({
      name: 'nearcast_serving_workers_count',
      help: 'Processes that serve now',
      collect: (gauge) => {
        gauge.set(this.#lives().filter(({ isListening }) => isListening).length);
      },
    });
  }
}
