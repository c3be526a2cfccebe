import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { coded, isCoded, toCoded, type CodedError } from '../../common/runtime/errors.ts';
import type { Log } from '../../common/runtime/log.ts';
import { healthy, judgeDisk, noteAnswer, noteFailedRead, type DiskHealth } from '../core/judge-disk.ts';
import { RestartBackoff } from '../serving/restart-backoff.ts';
import type { Disk, DiskOptions, DiskTrouble } from '../store/disk.ts';
import type { DiskSet } from '../store/disk-set.ts';
import type { DiskBook } from './disk-book.ts';
import type { Claims } from './claims.ts';
import type { DiskLook } from './disk-messages.ts';
import type { DiskProcess } from './disk-process.ts';
import { newLabel, type DiskLabel } from './label.ts';

/** What every disk of a box is given. */
export interface DiskHost {
  /** The box's node id. */
  readonly box: string;
  /** The data directory: as a disk it needs no lock, and belongs to the box whatever its label says. */
  readonly dataDir: string;
  readonly slowMs: number;
  readonly set: DiskSet;
  readonly book: DiskBook;
  readonly claims: Claims;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  /** A number that no disk of this process has had. */
  nextNumber(): number;
  /** Hears that a disk has come, gone, or is to be emptied. */
  changed(): void;
  /** Starts the process of the disk at a path. */
  startProcess(path: string): DiskProcess;
  openStore(
    disk: Pick<DiskOptions, 'path' | 'number' | 'device' | 'writer' | 'contents' | 'onTrouble'>,
  ): Disk;
}

/** `out`: not in use, for a reason that is told. */
export type DiskState = 'serving' | 'draining' | 'out';

interface Serving {
  readonly label: DiskLabel;
  readonly store: Disk;
  process: DiskProcess;
  processStartedAtMs: number;
}

const checkEveryMs = 500;
const retryEveryMs = 2000;
/** So long a start waits for a disk; it joins whenever it is there. */
const openMsMax = 10_000;
/** A wait for a disk is made of so many: a process that stood still itself has counted few of them. */
const ticksMax = 20;
/** So long after its opening a disk is compared with its index: first the box has to serve. */
const healAfterMs = 5000;
/** How often a disk that is being emptied is looked at for what is left on it. */
const drainEveryMs = 10_000;

/**
 * One configured disk through its life: opened, watched, quarantined when it fails, tried again once it is released or
 * there. What is wrong with it leaves only this disk out.
 */
export class DiskSlot {
  readonly path: string;
  readonly #host: DiskHost;
  #serving: Serving | undefined;
  /** Why it does not serve. */
  #why: CodedError = coded('DISK_SLOW', 'it is being opened');
  #health: DiskHealth = healthy;
  #isDraining: boolean;
  #opening: Promise<void> | undefined;
  /** Of a disk that is not in use yet: it is asked again. */
  #process: DiskProcess | undefined;
  /** Until its quarantine is written down nothing is tried; where it cannot be, not before the next start. */
  #quarantining: Promise<void> = Promise.resolve();
  #drainedAtMs = -Infinity;
  readonly #backoff = new RestartBackoff();
  #isOver = false;

  constructor(host: DiskHost, path: string, isDraining: boolean) {
    this.#host = host;
    this.path = path;
    this.#isDraining = isDraining;
  }

  /** What is to be said of it in heartbeats: a code and words; undefined where all is well. */
  reason(): string | undefined {
    const { store } = this.#serving ?? {};
    if (store === undefined) {
      const { code, detail, title } = this.#why;
      const said = `${this.path}: ${detail ?? title}`;
      return code.startsWith('DISK_') ? `${code}: ${said}` : `DISK_REFUSED: ${code}: ${said}`;
    }
    if (!this.#isDraining) return undefined;
    return store.isEmpty()
      ? `DISK_DRAINED: ${this.path} may be taken out`
      : `DISK_DRAINING: ${this.path}: ${store.held.size} files left`;
  }

  get state(): DiskState {
    if (this.#serving === undefined) return 'out';
    return this.#isDraining ? 'draining' : 'serving';
  }

  setDraining(isDraining: boolean): void {
    if (isDraining === this.#isDraining) return;
    this.#isDraining = isDraining;
    if (this.#serving === undefined) return;
    this.#host.set.setDraining(this.#serving.store.number, isDraining);
    this.#host.changed();
  }

  /** Opens it if it can be; why not is kept as the reason. Opening that hangs goes on by itself. */
  async open(): Promise<void> {
    this.#opening ??= this.#open()
      .catch((error: unknown) => {
        const why = toCoded(error);
        if (why.message !== this.#why.message)
          this.#host.log.error({ disk: this.path, code: why.code, err: error }, 'a disk is left out');
        this.#why = why;
      })
      .finally(() => {
        this.#opening = undefined;
      });
    const { clock, slowMs } = this.#host;
    const over = new AbortController();
    const late = clock.sleep(Math.min(slowMs, openMsMax), { signal: over.signal }).catch(() => undefined);
    await Promise.race([this.#opening, late]);
    over.abort();
  }

  /** Watches it until the signal ends it. */
  async watch(signal: AbortSignal): Promise<void> {
    while (await this.#pause(signal)) {
      if (this.#serving === undefined) await this.open();
      else await this.#check(this.#serving);
      this.#pushDrain();
    }
  }

  /** @returns whether there is still something to watch. */
  async #pause(signal: AbortSignal): Promise<boolean> {
    const everyMs = this.#serving === undefined ? retryEveryMs : checkEveryMs;
    await this.#host.clock.sleep(everyMs, { signal }).catch(() => undefined);
    return !signal.aborted && !this.#isOver;
  }

  /** Takes it out for good: its files are withdrawn, and it is let go of. */
  async end(): Promise<void> {
    this.#isOver = true;
    this.#host.claims.release(this);
    await this.#leave()?.store.close();
    await this.#process?.close();
  }

  /** The process ends: what it holds stays its own. */
  async close(): Promise<void> {
    this.#isOver = true;
    await this.#serving?.store.close();
    await this.#process?.close();
  }

  /** What was being read when files were last moved is looked at again. */
  #pushDrain(): void {
    const nowMs = this.#host.clock.monotonicMs();
    if (!this.#isDraining || nowMs - this.#drainedAtMs < drainEveryMs) return;
    this.#drainedAtMs = nowMs;
    if ((this.#serving?.store.held.size ?? 0) > 0) this.#host.changed();
  }

  async #open(): Promise<void> {
    const { path } = this;
    const { book, set, dataDir, clock, log } = this.#host;
    await this.#quarantining;
    const idBefore = book.idAt(path);
    // One that is quarantined is not even looked at: it may hang.
    if (idBefore !== undefined) await this.#refuseQuarantined(idBefore);
    const process = this.#reach();
    const look = await process.look();
    const label = this.#judgeLook(look, idBefore);
    await this.#refuseQuarantined(label.id);
    const isNew = label !== look.label;
    const contents = await process.open({ label, isNew, isDataDir: path === dataDir });
    this.#process = undefined;
    await book.remember(path, label.id);
    if (this.#isOver) {
      process.abandon();
      return;
    }
    const number = this.#host.nextNumber();
    const store = this.#host.openStore({
      ...{ path, number, device: look.device, writer: process, contents },
      onTrouble: (trouble) => {
        if (this.#serving?.store.number === number) this.#met(this.#serving, trouble);
      },
    });
    this.#health = healthy;
    this.#serving = { label, store, process, processStartedAtMs: clock.monotonicMs() };
    this.#follow(this.#serving);
    set.join(store, { isDraining: this.#isDraining });
    this.#host.changed();
    log.info({ disk: path, id: label.id, files: store.held.size }, 'a disk serves');
  }

  #reach(): DiskProcess {
    if (this.#process === undefined || this.#process.isOver)
      this.#process = this.#host.startProcess(this.path);
    return this.#process;
  }

  /** Whether what is there may be used here. @returns its label, or the one that it is to have. */
  #judgeLook({ directory, isMounted, label: found }: DiskLook, idBefore: string | undefined): DiskLabel {
    const { path } = this;
    const { box, dataDir, claims, chance } = this.#host;
    claims.release(this);
    claims.claim(this, { directory });
    if (found === undefined && idBefore !== undefined && !isMounted && path !== dataDir) {
      throw coded(
        'DISK_GONE',
        `disk ${idBefore} is not mounted there; mount it, or take the path out of disks`,
      );
    }
    if (found !== undefined && found.box !== box && path !== dataDir) {
      throw coded(
        'DISK_FOREIGN',
        `it is of ${found.box}; to use it here with what it holds, delete ${path}/disk.json`,
      );
    }
    const label = found?.box === box ? found : { ...(found ?? newLabel(box, chance)), box };
    claims.claim(this, { id: label.id });
    return label;
  }

  async #refuseQuarantined(id: string): Promise<void> {
    const quarantine = await this.#host.book.quarantineOf(id);
    if (quarantine !== undefined) throw quarantine;
  }

  /** Index and disk are compared while it serves; when its process ends, what is under way has to be resumed. */
  #follow({ store, process }: Serving): void {
    const over = new AbortController();
    void process.ended.then(() => {
      over.abort();
      if (this.#serving?.process === process) store.suspend();
    });
    void this.#heal(process, over.signal);
  }

  async #heal(process: DiskProcess, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#host;
    try {
      await clock.sleep(healAfterMs, { signal });
      await process.heal();
    } catch (error) {
      if (!signal.aborted)
        log.warn({ disk: this.path, err: error }, 'a disk was not compared with its index');
    }
  }

  async #check(serving: Serving): Promise<void> {
    const { slowMs } = this.#host;
    const { process } = serving;
    const hasEnded = (): boolean => process.isOver;
    if (hasEnded()) return this.#revive(serving);
    const { failure, tookMs } = await this.#patiently(process.probe(serving.label.id));
    if (this.#serving !== serving || hasEnded()) return;
    this.#health = noteAnswer(this.#health, tookMs, slowMs);
    if (failure !== undefined) this.#quarantine(serving, failure);
    else this.#judge(serving);
  }

  /** Its process has ended, and not because the disk was given up: what is held is read on while another one takes its place. */
  async #revive(serving: Serving): Promise<void> {
    const { clock, log } = this.#host;
    const delayMs = this.#backoff.died(clock.monotonicMs() - serving.processStartedAtMs);
    const why = coded('STORE_UNAVAILABLE', serving.process.why);
    log.error(
      { disk: this.path, err: why, delayMs },
      'the process of a disk has ended; another one takes its place',
    );
    if (this.#backoff.isFailing) {
      this.#giveUp(why);
      return;
    }
    await clock.sleep(delayMs);
    const process = this.#host.startProcess(this.path);
    const { failure } = await this.#patiently(this.#replace(serving, process));
    if (serving.process !== process) process.abandon();
    if (failure === undefined || this.#serving !== serving) return;
    if (isCoded(failure, 'DISK_FAILED', 'DISK_GONE', 'DISK_READ_ONLY', 'DISK_SLOW'))
      this.#quarantine(serving, failure);
    else this.#giveUp(failure);
  }

  async #replace(serving: Serving, process: DiskProcess): Promise<void> {
    const { clock, dataDir } = this.#host;
    const { label } = await process.look();
    if (label?.id !== serving.label.id) throw coded('DISK_GONE', `${this.path} has lost its label`);
    const contents = await process.open({ label, isNew: false, isDataDir: this.path === dataDir });
    if (this.#serving !== serving) return;
    serving.process = process;
    serving.processStartedAtMs = clock.monotonicMs();
    serving.store.renew(process, contents);
    this.#follow(serving);
    this.#host.changed();
  }

  /** Waits for what is asked of a disk, but no longer than a disk may take. */
  async #patiently(asked: Promise<void>): Promise<{ failure: CodedError | undefined; tookMs: number }> {
    const { clock, slowMs } = this.#host;
    const answer = asked.then(
      () => ({ failure: undefined }),
      (error: unknown) => ({ failure: toCoded(error) }),
    );
    for (let ticks = 0; ticks < ticksMax; ticks++) {
      const over = new AbortController();
      const tick = clock.sleep(slowMs / ticksMax, { signal: over.signal }).catch(() => undefined);
      const answered = await Promise.race([answer, tick]);
      over.abort();
      if (answered !== undefined) return { ...answered, tookMs: (ticks * slowMs) / ticksMax };
    }
    return { failure: coded('DISK_SLOW', `it has not answered for ${slowMs} ms`), tookMs: slowMs };
  }

  #met(serving: Serving, { op, error }: DiskTrouble): void {
    if (op === 'write') {
      this.#quarantine(serving, error);
      return;
    }
    this.#health = noteFailedRead(this.#health, this.#host.clock.monotonicMs());
    this.#judge(serving);
  }

  #judge(serving: Serving): void {
    const code = judgeDisk(this.#health);
    if (code === undefined) return;
    const detail =
      code === 'DISK_SLOW' ? 'it answers slowly, again and again' : 'it does not give the bytes of its files';
    this.#quarantine(serving, coded(code, detail));
  }

  /** Its files are withdrawn at once; nothing here waits for the disk. */
  #quarantine(serving: Serving, why: CodedError): void {
    if (this.#serving !== serving) return;
    const { book, clock, log } = this.#host;
    const { id } = serving.label;
    const files = serving.store.held.size;
    this.#giveUp(why);
    log.error({ disk: this.path, id, code: why.code, files, err: why }, 'a disk is quarantined');
    const { code, detail, title } = why;
    this.#quarantining = book.quarantine(id, {
      path: this.path,
      code,
      detail: (detail ?? title).slice(0, 2000),
      sinceMs: Math.round(clock.nowMs()),
    });
    this.#quarantining.catch((error: unknown) => {
      log.error(
        { disk: this.path, err: error },
        'a quarantine could not be written down: a restart forgets it',
      );
    });
  }

  /** It is not used any more, for this reason; nobody waits for its process. */
  #giveUp(why: CodedError): void {
    this.#why = why;
    const serving = this.#leave();
    serving?.process.abandon();
    void serving?.store.close();
  }

  /** Its files are withdrawn in this moment. */
  #leave(): Serving | undefined {
    const serving = this.#serving;
    if (serving === undefined) return undefined;
    this.#serving = undefined;
    this.#host.set.leave(serving.store.number);
    this.#host.changed();
    return serving;
  }
}
