import { createSystemClock, type Clock } from '../../common/runtime/clock.ts';
import { assert, coded } from '../../common/runtime/errors.ts';
import { letHeapGrow } from '../../common/runtime/heap.ts';
import { createKeyring, type Keyring } from '../../common/runtime/keyring.ts';
import { createLog, type Log } from '../../common/runtime/log.ts';
import { createMetrics, type Metrics } from '../../common/runtime/metrics.ts';
import { loadAddon } from '../engine/native-loader.ts';
import { PullChannel } from '../pull/pull-messages.ts';
import { createMisses } from '../pull/create-misses.ts';
import { openWorkerStorage, type WorkerStorage } from '../worker-storage.ts';
import { packedFilesMax, unpackFiles } from '../store/packed-files.ts';
import { LocalServing } from './local.ts';
import { batchMax, type FromWorker, type Init, type Metric, type ToWorker } from './messages.ts';
import { ServedTally } from './served-tally.ts';

export interface WorkerChannel {
  /** Resolves when the channel has taken it. */
  send(message: FromWorker): Promise<void>;
}

const socketFd = 4;
const capsFd = 5;
const reportEveryMs = 250;
/** Every so many reports the metrics go too: what a crash may cost. */
const reportsPerMetrics = 40;
const metricsWaitMs = 3000;
const metricsWaitingMax = 16;

/** Opens what a worker serves from; it serves once it is told to start. */
export async function openWorker(init: Init, channel: WorkerChannel): Promise<Worker> {
  const { config, nodeId, worker, workers } = init;
  const clock = createSystemClock();
  const log = createLog({ name: nodeId, ...config.log }).child({ worker: worker + 1 });
  const storage = await openWorkerStorage({
    config,
    workers,
    clock,
    log,
    onFault: (file, fault) => void channel.send({ kind: 'fault', file, fault }),
  });
  return new Worker(init, { channel, clock, log, storage });
}

/** One of the processes that serve a box. */
export class Worker {
  readonly log: Log;
  readonly drainMs: number;
  readonly #channel: WorkerChannel;
  readonly #clock: Clock;
  readonly #storage: WorkerStorage;
  readonly #keyring: Keyring;
  readonly #metrics: Metrics;
  readonly #serving: LocalServing;
  readonly #tally = new ServedTally();
  readonly #pulls: PullChannel;
  readonly #metricsWaiting = new Map<number, (text: string) => void>();
  #metricsAsked = 0;
  #timer: NodeJS.Timeout | undefined;
  #reporting = false;
  #reports = 0;

  constructor(init: Init, parts: { channel: WorkerChannel; clock: Clock; log: Log; storage: WorkerStorage }) {
    const { config, nodeId, version, worker, workers, native, hasCaps } = init;
    const { clock, log, storage } = parts;
    this.log = log;
    this.drainMs = config.drainMs;
    this.#channel = parts.channel;
    this.#clock = clock;
    this.#storage = storage;
    this.#keyring = createKeyring({ rootJwk: init.rootJwk, clock });
    this.#metrics = createMetrics({ name: nodeId, version });
    this.#pulls = new PullChannel((message) => parts.channel.send(message));
    const pulls = { link: this.#pulls, held: storage.content, workers };
    this.#serving = new LocalServing({
      config,
      name: nodeId,
      version,
      clock,
      log,
      findKey: (kid, use) => this.#keyring.find(kid, use),
      content: storage.content,
      misses: config.miss === 'refuse' ? undefined : createMisses(pulls),
      openFiles: storage.openFiles,
      metrics: this.#metrics,
      metricsText: () => this.#boxMetrics(),
      onServed: (file, scope, bytes) => {
        this.#tally.add(file, scope, bytes);
      },
      share: { worker, workers, capsFd: hasCaps ? capsFd : undefined },
      addon: native ? loadAddon(log) : undefined,
      listenAt: { fd: socketFd },
    });
  }

  async start(): Promise<void> {
    const address = await this.#serving.start();
    await this.#channel.send({ kind: 'listening', ...address });
    this.#timer = setInterval(() => void this.#tick(), reportEveryMs);
  }

  async hear(message: Exclude<ToWorker, { kind: 'init' | 'start' | 'close' }>): Promise<void> {
    const serving = this.#serving;
    switch (message.kind) {
      case 'held':
        this.#hold(message);
        return;
      case 'keyset':
        await this.#takeKeyset(message.jws);
        return;
      case 'revocations':
        serving.setRevocations(message.body);
        return;
      case 'state':
        serving.setState(message.state);
        return;
      case 'admit':
        serving.admit(message.admission);
        return;
      case 'shed':
        serving.shed(message);
        return;
      case 'sessions':
        serving.sessions.merge(message.sessions);
        return;
      case 'tls':
        serving.setTls(message.tls);
        return;
      case 'ticket-keys':
        serving.setTicketKeys(message.keys.map((key) => Buffer.from(key, 'base64')));
        return;
      case 'address-key':
        serving.setAddressKey(Buffer.from(message.key, 'base64'));
        return;
      case 'pulled':
        this.#pulls.hear(message);
        return;
      case 'metrics-wanted':
        await this.#sendMetrics(message.id);
        return;
      case 'box-metrics':
        this.#metricsWaiting.get(message.id)?.(message.text);
        return;
    }
  }

  /** The master has ended: what is held is served on. */
  loseMaster(): void {
    this.#pulls.end();
  }

  /** Finishes what is in flight, and says the last of what it counted. */
  async close(deadlineMs: number): Promise<void> {
    await this.#serving.close(deadlineMs);
    clearInterval(this.#timer);
    let hasMore = true;
    while (hasMore) hasMore = (await this.#sendReport()) === batchMax;
    await this.#sendMetrics();
    await this.#storage.close();
  }

  #hold({ disks, added, removed }: Extract<ToWorker, { kind: 'held' }>): void {
    const { view } = this.#storage;
    assert(view !== undefined, 'an origin holds everything');
    for (const file of view.setDisks(new Map(disks))) this.#serving.forget(file);
    for (const file of removed) {
      view.remove(file);
      this.#serving.forget(file);
    }
    for (const [disk, packed] of added) {
      const files = unpackFiles(packed);
      if (files.length === packedFilesMax) letHeapGrow();
      for (const [file, sizeBytes] of files) view.add(file, { sizeBytes, disk });
    }
  }

  async #takeKeyset(jws: string): Promise<void> {
    try {
      if (await this.#keyring.take(jws)) this.#serving.keysChanged();
    } catch (error) {
      // The master took it, so it is the time that has passed: the keys held go on until they run out.
      this.log.warn({ err: error }, 'a serving worker cannot use the keyset');
    }
  }

  async #tick(): Promise<void> {
    // A master that is slow to read gets fewer reports with more in each.
    if (this.#reporting) return;
    this.#reporting = true;
    await this.#sendReport();
    if (++this.#reports % reportsPerMetrics === 0) await this.#sendMetrics();
    this.#reporting = false;
  }

  /** @returns how many files it told of. */
  async #sendReport(): Promise<number> {
    const { liveSessions: _sessions, openFiles, reasons, ...load } = this.#serving.load();
    const served = this.#tally.take(batchMax);
    await this.#channel.send({
      kind: 'report',
      load: { ...load, reasons: [...reasons] },
      reading: asJson(this.#serving.readLoad()),
      openFiles,
      served,
      sessions: this.#serving.sessions.takeFresh(batchMax),
      reasons: this.#storage.reasons().slice(0, 16),
    });
    return served.length;
  }

  async #sendMetrics(id = 0): Promise<void> {
    const metrics = (await this.#metrics.registry.getMetricsAsJSON()) as unknown as Metric[];
    await this.#channel.send({ kind: 'metrics', id, metrics });
  }

  /** The whole box's, which only the master can sum. */
  async #boxMetrics(): Promise<string> {
    if (this.#metricsWaiting.size >= metricsWaitingMax)
      throw coded('OVERLOADED', 'metrics are asked for too often');
    const id = ++this.#metricsAsked;
    const over = new AbortController();
    const late = this.#clock.sleep(metricsWaitMs, { signal: over.signal }).then((): never => {
      throw coded('UNAVAILABLE', 'the master process does not answer');
    });
    late.catch(() => undefined);
    try {
      const text = new Promise<string>((resolve) => this.#metricsWaiting.set(id, resolve));
      await this.#channel.send({ kind: 'box-metrics-wanted', id });
      return await Promise.race([text, late]);
    } finally {
      over.abort();
      this.#metricsWaiting.delete(id);
    }
  }
}

function asJson<T extends { readonly ttfbCounts: readonly number[] }>(reading: T) {
  return { ...reading, ttfbCounts: [...reading.ttfbCounts] };
}
