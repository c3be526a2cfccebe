import { request as httpRequest, type ClientRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';

import type { BoxReport, SteeringNodes } from '../../common/contract/health.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { coded } from '../../common/runtime/errors.ts';
import type { Log } from '../../common/runtime/log.ts';
import { isNews } from '../core/report-news.ts';
import { isOver, Wakeup } from '../fill/wakeup.ts';
import { spreadBackoffMs } from '../../common/core/backoff.ts';

export interface HealthStreamOptions {
  node: SteeringNodes[number];
  /** The authorization header of one call, by this box's key. */
  authorize: (method: string, path: string) => Promise<string>;
  report: () => BoxReport;
  clock: Clock;
  chance: Chance;
  log: Log;
}

const reportMs = 1000;
const lookMs = 250;
/** Steering says something every second; silent for so long, it or the way to it is gone. */
const silentMsMax = 6000;
const retries = { firstMs: 250, maxMs: 10_000 };
/** Who has held for so long has not failed. */
const steadyMs = 5000;

/**
 * The stream to one steering node: how this box is, a line a second and at once when something has changed. Its end tells
 * steering that the process is gone, its silence that the host or the link is. Opened again whenever it ends.
 */
export class HealthStream {
  readonly node: SteeringNodes[number];
  readonly #options: HealthStreamOptions;
  readonly #wakeup: Wakeup;
  #isKnownLost = false;

  constructor(options: HealthStreamOptions) {
    this.node = options.node;
    this.#options = options;
    this.#wakeup = new Wakeup(options.clock);
  }

  /** Looks now whether there is something to tell. */
  hurry(): void {
    this.#wakeup.notify();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, chance } = this.#options;
    let failures = 0;
    while (!signal.aborted) {
      const startedMs = clock.monotonicMs();
      await this.#once(signal);
      if (isOver(signal)) return;
      failures = clock.monotonicMs() - startedMs > steadyMs ? 0 : failures + 1;
      // Jitter, so that all boxes do not come back to a node that was restarted in one moment.
      await clock.sleep(spreadBackoffMs(retries, failures, chance), { signal }).catch(() => undefined);
    }
  }

  /** One connection, to its end. */
  async #once(signal: AbortSignal): Promise<void> {
    const { authorize } = this.#options;
    const base = new URL(this.node.url);
    const path = `/v1/health-stream/${this.node.id}`;
    const ended = new AbortController();
    const authorization = await authorize('POST', path);
    const send = base.protocol === 'https:' ? httpsRequest : httpRequest;
    const request = send({
      ...{ protocol: base.protocol, hostname: base.hostname.replace(/^\[|\]$/g, ''), port: base.port },
      path: `${base.pathname.replace(/\/$/, '')}${path}`,
      method: 'POST',
      headers: { authorization, 'content-type': 'application/x-ndjson' },
      // A connection of its own: what shares one shares its silence.
      agent: false,
    });
    request.setNoDelay(true);
    const heard = this.#listen(request, ended);
    const onAbort = (): void => {
      request.destroy();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    await this.#tell(request, { heard, signal: ended.signal });
    signal.removeEventListener('abort', onAbort);
    request.destroy();
  }

  /** Notes what steering says, if only that it lives. */
  #listen(request: ClientRequest, ended: AbortController): { atMs: number } {
    const { clock, log } = this.#options;
    const heard = { atMs: clock.monotonicMs() };
    let failure: unknown;
    request.on('response', (response) => {
      if (response.statusCode !== 200) {
        failure = coded('STEERING_UNREACHABLE', `it answers ${response.statusCode ?? 0}`);
        request.destroy();
        return;
      }
      if (this.#isKnownLost) log.info({ steering: this.node.id }, 'steering hears this box again');
      this.#isKnownLost = false;
      response.on('data', () => {
        heard.atMs = clock.monotonicMs();
      });
      response.on('error', () => undefined);
      response.on('close', () => {
        ended.abort();
      });
    });
    request.on('error', (error) => {
      failure ??= error;
    });
    request.on('close', () => {
      ended.abort();
      // Once per outage: probes and the map tell steering of this box too.
      if (failure !== undefined && !this.#isKnownLost) {
        log.warn(
          { steering: this.node.id, err: failure },
          'steering does not hear this box; it is asked again',
        );
        this.#isKnownLost = true;
      }
    });
    return heard;
  }

  async #tell(request: ClientRequest, at: { heard: { atMs: number }; signal: AbortSignal }): Promise<void> {
    const { clock, report } = this.#options;
    let told: BoxReport | undefined;
    let toldAtMs = -Infinity;
    while (!at.signal.aborted) {
      const nowMs = clock.monotonicMs();
      if (nowMs - at.heard.atMs > silentMsMax) return;
      const next = report();
      // What does not leave is not heaped up: steering wants to know how it is, not how it was.
      if (!request.writableNeedDrain && (nowMs - toldAtMs >= reportMs || isNews(next, told))) {
        request.write(`${JSON.stringify(next)}\n`);
        told = next;
        toldAtMs = nowMs;
      }
      await this.#wakeup.wait(lookMs, at.signal);
    }
  }
}
