import type { Clock } from '../../common/runtime/clock.ts';
import { coded, type CodedError } from '../../common/runtime/errors.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { EngineAddress } from '../engine/engine.ts';
import { isOver } from '../fill/wakeup.ts';
import type { ListenSocket, SocketMaker } from './listen-sockets.ts';
import type { FromWorker, Metric, WorkerReport } from './messages.ts';
import { RestartBackoff } from './restart-backoff.ts';
import { startWorker, type WorkerProcess } from './worker-process.ts';

/** What a worker may take to end once its deadline is over. */
const exitMsMax = 2000;

/** One process in a slot, from its start to its end. */
export interface WorkerLife {
  readonly process: WorkerProcess;
  readonly slot: WorkerSlot;
  readonly startedAtMs: number;
  isListening: boolean;
  report: WorkerReport | undefined;
  metrics: readonly Metric[];
  /** The last question for them that was answered. */
  metricsId: number;
  heardAtMs: number;
  /** The longest waits of its reports since somebody asked. */
  diskDelayMs: number;
  loopDelayMs: number;
  /** Gives it up, whether or not its process ends: one in D state does not. */
  readonly giveUp: (why: string) => void;
}

export interface WorkerSlotOptions {
  index: number;
  socket: ListenSocket;
  maker: SocketMaker;
  capsFd: number | undefined;
  /** Its first process, where that was started already. */
  early: WorkerProcess | undefined;
  clock: Clock;
  log: Log;
  /** Tells a new process everything, the start last. */
  greet: (life: WorkerLife) => Promise<void>;
  onMessage: (life: WorkerLife, message: FromWorker) => void;
  onGone: (life: WorkerLife) => void;
}

/** A worker's place: a socket, and the process that serves on it, replaced by another one when it dies. */
export class WorkerSlot {
  readonly index: number;
  readonly #options: WorkerSlotOptions;
  readonly #backoff = new RestartBackoff();
  readonly #closing = new AbortController();
  readonly #first = Promise.withResolvers<EngineAddress>();
  #socket: ListenSocket | undefined;
  #early: WorkerProcess | undefined;
  #life: WorkerLife | undefined;
  #failure: CodedError | undefined;
  #done: Promise<void> | undefined;

  constructor(options: WorkerSlotOptions) {
    this.#options = options;
    this.index = options.index;
    this.#socket = options.socket;
    this.#early = options.early;
  }

  /** Its processes die again and again. */
  get isFailing(): boolean {
    if (this.#life !== undefined)
      this.#backoff.lives(this.#options.clock.monotonicMs() - this.#life.startedAtMs);
    return this.#backoff.isFailing;
  }

  get life(): WorkerLife | undefined {
    return this.#life;
  }

  /** Starts it and keeps it up; resolves when its first process listens. Errors: SERVING_WORKER_FAILED. */
  start(): Promise<EngineAddress> {
    this.#done = this.#keepUp().finally(() => {
      // Nobody would hear of a start that was ended before its process listened.
      this.#first.reject(coded('ABORTED', `worker ${this.index + 1} was closed before it served`));
    });
    return this.#first.promise;
  }

  /** Its process ends by itself and is not replaced; what is left of it at the deadline is killed. */
  async close(deadlineMs: number): Promise<void> {
    this.#closing.abort();
    this.#release();
    void this.#life?.process.send({ kind: 'close', deadlineMs });
    const over = new AbortController();
    const late = this.#options.clock.sleep(deadlineMs + exitMsMax, { signal: over.signal }).then(
      () => this.#life?.giveUp('it did not end in time'),
      () => undefined,
    );
    await this.#done;
    over.abort();
    await late;
  }

  async #keepUp(): Promise<void> {
    const { clock, log, onGone } = this.#options;
    while (!isOver(this.#closing.signal)) {
      const startedAtMs = clock.monotonicMs();
      const how = await this.#live(startedAtMs);
      const life = this.#life;
      this.#life = undefined;
      if (life !== undefined) onGone(life);
      if (isOver(this.#closing.signal)) return;
      const delayMs = this.#backoff.died(clock.monotonicMs() - startedAtMs);
      const failure = this.#failure ?? coded('SERVING_WORKER_FAILED', `worker ${this.index + 1}: ${how}`);
      this.#failure = undefined;
      this.#first.reject(failure);
      log.error(
        { worker: this.index + 1, how, err: failure, delayMs },
        'a serving worker died; another takes its socket',
      );
      // Who waits in its queue has waited long enough: the kernel sends those who come to the other sockets.
      if (this.isFailing) this.#release();
      await clock.sleep(delayMs, { signal: this.#closing.signal }).catch(() => undefined);
    }
  }

  async #live(startedAtMs: number): Promise<string> {
    const { maker, capsFd, log, greet } = this.#options;
    try {
      this.#socket ??= maker.make();
    } catch (error) {
      this.#failure = coded('SERVING_WORKER_FAILED', {
        detail: `worker ${this.index + 1} has no socket`,
        cause: error,
      });
      return 'no socket';
    }
    const given = Promise.withResolvers<string>();
    const process = this.#early ?? startWorker([this.#socket.fd, ...(capsFd === undefined ? [] : [capsFd])]);
    this.#early = undefined;
    process.listen({
      onMessage: (message) => {
        this.#hear(life, message);
      },
      onNonsense: (error) => {
        log.error(
          { err: error, worker: this.index + 1 },
          'a serving worker said something that is not understood',
        );
      },
    });
    const life: WorkerLife = {
      process,
      slot: this,
      startedAtMs,
      isListening: false,
      report: undefined,
      metrics: [],
      metricsId: 0,
      heardAtMs: startedAtMs,
      diskDelayMs: 0,
      loopDelayMs: 0,
      giveUp: (why) => {
        process.kill();
        given.resolve(why);
      },
    };
    this.#life = life;
    // What cannot be told meets a process that is gone, which is seen below.
    void greet(life);
    return Promise.race([process.ended, given.promise]);
  }

  #hear(life: WorkerLife, message: FromWorker): void {
    const { clock, onMessage } = this.#options;
    life.heardAtMs = clock.monotonicMs();
    if (message.kind === 'failed') {
      const detail = `worker ${this.index + 1}: ${message.code} ${message.detail}`;
      this.#failure = coded('SERVING_WORKER_FAILED', detail);
      return;
    }
    if (message.kind === 'listening') {
      life.isListening = true;
      this.#first.resolve({ host: message.host, port: message.port });
    }
    onMessage(life, message);
  }

  #release(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }
}
