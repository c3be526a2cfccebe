import type { KeyObject } from 'node:crypto';
import { documentTypes } from '../../common/contract/documents.ts';
import {
  peerViewBytesMax,
  PeerView,
  type PeerStatus,
  type SteeringPeer,
} from '../../common/contract/health.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { ControlClient } from '../../common/runtime/control-client.ts';
import { coded, isCoded, toCoded } from '../../common/runtime/errors.ts';
import { importPublicJwk, thumbprint } from '../../common/runtime/keys.ts';
import type { Log } from '../../common/runtime/log.ts';
import { openDocument } from '../../common/runtime/signed-documents.ts';
import { viewLifeMs } from './view-publisher.ts';

export interface PeerFollowerOptions {
  readonly peer: SteeringPeer;
  readonly client: ControlClient;
  readonly clock: Clock;
  readonly log: Log;
  /** A view that came longer ago does not count. */
  readonly freshMs: number;
  readonly onView: () => void;
  /** Told the code of each view that was refused. */
  readonly onRefused: (code: string) => void;
}

const waitMs = 2000;
const retryMs = 250;
/** One failure may be a connection that was closed while it was idle. */
const failuresMax = 2;

/** Follows the view of one other steering node. */
export class PeerFollower {
  readonly peer: SteeringPeer;
  readonly #options: PeerFollowerOptions;
  readonly #kid: string;
  readonly #key: KeyObject;
  #view: PeerView | undefined;
  #sequence = 0;
  #heardAtMs: number | undefined;
  #failures = 0;
  #why: string | undefined = 'it has not answered yet';

  constructor(options: PeerFollowerOptions) {
    this.#options = options;
    this.peer = options.peer;
    this.#kid = thumbprint(options.peer.key);
    this.#key = importPublicJwk(options.peer.key);
  }

  /** Its view, if that is fresh. */
  fresh(): PeerView | undefined {
    const { clock, freshMs } = this.#options;
    if (this.#heardAtMs === undefined || this.#failures >= failuresMax) return undefined;
    return clock.monotonicMs() - this.#heardAtMs <= freshMs ? this.#view : undefined;
  }

  status(): PeerStatus {
    const fresh = this.fresh() !== undefined;
    const { clock } = this.#options;
    return {
      id: this.peer.id,
      fresh,
      ...(this.#heardAtMs !== undefined && { ageMs: Math.round(clock.monotonicMs() - this.#heardAtMs) }),
      ...(!fresh && { why: this.#why ?? 'it has been silent for too long' }),
    };
  }

  /** Asks until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const isOver = (): boolean => signal.aborted;
    const { clock, onView } = this.#options;
    while (!isOver()) {
      const startedMs = clock.monotonicMs();
      try {
        const isNew = await this.#ask(signal);
        this.#failures = 0;
        this.#why = undefined;
        if (isNew) onView();
        // One that answers the same at once is not asked without end.
        if (isNew || clock.monotonicMs() - startedMs >= retryMs) continue;
      } catch (error) {
        if (isOver()) break;
        this.#failed(error);
      }
      await clock.sleep(retryMs, { signal }).catch(() => undefined);
    }
    await this.#options.client.close();
  }

  async #ask(signal: AbortSignal): Promise<boolean> {
    const { client, clock, onRefused } = this.#options;
    const { status, value } = await client.text({
      method: 'GET',
      path: '/v1/health-view',
      query: { after: this.#sequence, waitMs },
      waitMs,
      retriesMax: 0,
      answerBytesMax: peerViewBytesMax,
      signal,
    });
    if (status === 204) return false;
    try {
      const { sequence, body } = await this.#open(value);
      if (sequence === this.#sequence) return false;
      this.#sequence = sequence;
      this.#view = body;
      this.#heardAtMs = clock.monotonicMs();
      return true;
    } catch (error) {
      onRefused(toCoded(error).code);
      throw error;
    }
  }

  async #open(jws: string) {
    const { clock } = this.#options;
    const payload = await openDocument(jws, {
      typ: documentTypes.peerView,
      schema: PeerView,
      findKey: (kid) => (kid === this.#kid ? this.#key : undefined),
      audience: 'steering',
      sequenceMin: this.#sequenceMin(),
      nowMs: clock.nowMs(),
    });
    const { node } = payload.body;
    if (node !== this.peer.id) throw coded('DOCUMENT_FOREIGN', `it is the view of ${node}`);
    return payload;
  }

  /**
   * An older view than the one held is refused, until that one is past its life, and an older one too with it: a node that starts
   * anew with a clock that was put right counts from further back.
   */
  #sequenceMin(): number {
    const heardAtMs = this.#heardAtMs ?? -Infinity;
    return this.#options.clock.monotonicMs() - heardAtMs > viewLifeMs ? 0 : this.#sequence;
  }

  #failed(error: unknown): void {
    const { log, onView } = this.#options;
    const { code, message } = toCoded(error);
    this.#why = message;
    this.#failures++;
    if (this.#failures !== failuresMax) return;
    const isUnreachable = isCoded(error, 'STEERING_UNREACHABLE');
    const text = isUnreachable
      ? 'a steering node is lost from sight'
      : 'the view of a steering node is refused';
    log.warn({ peer: this.peer.id, code, err: error }, text);
    // It counts no longer.
    onView();
  }
}
