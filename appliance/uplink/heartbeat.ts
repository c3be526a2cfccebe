import type { Place } from '../../common/contract/documents.ts';
import type { Heartbeat, HeartbeatReply } from '../../common/contract/nodes.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';
import { Wakeup } from '../fill/wakeup.ts';
import type { UplinkRecords } from '../metrics.ts';
import type { HoldingsDelta } from './holdings-delta.ts';

/** What a heartbeat is made from, asked each time. */
export interface HeartbeatFacts {
  state: 'ready' | 'draining';
  url: string;
  addresses: string[];
  place: Place | undefined;
  /** It learns routes, however many it has now; undefined where that is told by the routes that it has had. */
  routeFeed: boolean | undefined;
  capacityBytes: number;
  usedBytes: number;
  /** Absent where it is not known. */
  lineBytesPerSecond: number | undefined;
  /** It fetches what it does not hold. */
  mayFetch?: true;
  /** It leads viewers on to who holds what it does not. */
  mayRedirect?: true;
  headroom: number;
  liveRequests: number;
  liveSessions: number;
  /** Absent while it does not drain, or where it cannot be told. */
  drainEtaMs: number | undefined;
  fillManifestSequence: number;
  revocationsSequence: number;
  reasons: string[];
}

export interface HeartbeatSenderOptions {
  incarnation: string;
  send: (heartbeat: Heartbeat, signal: AbortSignal) => Promise<HeartbeatReply>;
  facts: () => Promise<HeartbeatFacts>;
  holdings: HoldingsDelta;
  onReply: (reply: HeartbeatReply, sentAtMs: number) => void;
  clock: Clock;
  log: Log;
  records: UplinkRecords;
}

const intervalMs = 2000;
/** Between two heartbeats at least. */
const hurryMs = 100;
const timeoutMs = 4000;
const reasonsMax = 16;
const changesPerHeartbeat = 100_000;

/**
 * Reports the box every 2 s, and at once when something has changed that others wait for. What was not acknowledged is
 * told again, so a lost heartbeat loses nothing.
 */
export class HeartbeatSender {
  readonly #options: HeartbeatSenderOptions;
  readonly #wakeup: Wakeup;
  #sequence = 0;
  #connected: boolean | undefined;
  #hurries = 0;

  constructor(options: HeartbeatSenderOptions) {
    this.#options = options;
    this.#wakeup = new Wakeup(options.clock);
  }

  /** Sends the next heartbeat now. */
  hurry(): void {
    this.#hurries++;
    this.#wakeup.notify();
  }

  /** Sends until the signal ends it; the control plane may go and come back. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const startedMs = this.#options.clock.monotonicMs();
      const hurries = this.#hurries;
      await this.send(signal);
      // Files may be published many times a second; what comes meanwhile goes with the next.
      await this.#options.clock.sleep(hurryMs, { signal }).catch(() => undefined);
      const tookMs = this.#options.clock.monotonicMs() - startedMs;
      if (this.#hurries === hurries) await this.#wakeup.wait(Math.max(1, intervalMs - tookMs), signal);
    }
  }

  /** Sends one heartbeat; true when it was acknowledged. */
  async send(signal: AbortSignal): Promise<boolean> {
    const { records, holdings } = this.#options;
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    const change = holdings.take(changesPerHeartbeat);
    try {
      const heartbeat = await this.#make(change.report);
      const reply = await this.#options.send(heartbeat, deadline);
      change.acknowledge();
      if (reply.fullWanted) this.#forgetAcknowledged();
      this.#options.onReply(reply, heartbeat.sentAtMs);
      records.heartbeat('acknowledged');
      this.#setConnected(true);
      if (change.hasMore) this.#hurries++;
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      records.heartbeat('failed');
      this.#setConnected(false, error);
      return false;
    }
  }

  async #make(holdings: Heartbeat['holdings']): Promise<Heartbeat> {
    const { clock, incarnation } = this.#options;
    const { place, routeFeed, reasons, drainEtaMs, lineBytesPerSecond, ...facts } =
      await this.#options.facts();
    return {
      ...facts,
      ...(place !== undefined && { place }),
      ...(routeFeed !== undefined && { routeFeed }),
      ...(drainEtaMs !== undefined && { drainEtaMs }),
      ...(lineBytesPerSecond !== undefined && { lineBytesPerSecond }),
      sequence: ++this.#sequence,
      incarnation,
      sentAtMs: Math.round(clock.nowMs()),
      holdings,
      reasons: [...new Set(reasons)].slice(0, reasonsMax),
    };
  }

  /** The control plane has lost track: everything is told again. */
  #forgetAcknowledged(): void {
    this.#options.holdings.tellAll();
    this.#hurries++;
  }

  #setConnected(connected: boolean, error?: unknown): void {
    if (this.#connected === connected) return;
    this.#connected = connected;
    if (connected) this.#options.log.info('the control plane hears this box');
    else
      this.#options.log.warn({ err: error }, 'the control plane does not hear this box; it goes on serving');
  }
}
