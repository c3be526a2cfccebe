import { documentTypes } from '../../common/contract/documents.ts';
import type { PeerView } from '../../common/contract/health.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { coded } from '../../common/runtime/errors.ts';
import type { SigningKey } from '../../common/runtime/keys.ts';
import { signDocument } from '../../common/runtime/signed-documents.ts';

/** How long a signed view passes for one at all; whether it is fresh is decided by when it came. */
export const viewLifeMs = 60_000;
/** A view is signed anew so often, changed or not: that it comes is what shows that its node lives. */
const refreshMs = 1000;
/** Between two signatures at least. */
const signMsMin = 50;
const waitersMax = 256;

export interface SignedView {
  readonly sequence: number;
  readonly jws: string;
}

/** Signs this node's view and hands it out to whoever waits for a newer one. */
export class ViewPublisher {
  readonly #key: SigningKey;
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();
  #view: PeerView | undefined;
  #signed: SignedView | undefined;
  #sequence = 0;
  #hurry: (() => void) | undefined;
  #isUrgent = false;

  constructor({ key, clock }: { key: SigningKey; clock: Clock }) {
    this.#key = key;
    this.#clock = clock;
  }

  /** What is told from now on: at once where it is urgent, else with the next refresh. */
  publish(view: PeerView, isUrgent: boolean): void {
    this.#view = view;
    if (!isUrgent) return;
    this.#isUrgent = true;
    this.#hurry?.();
  }

  /** The signed view once it is newer than `after`; undefined where none comes in time. Errors: OVERLOADED. */
  async newer(
    after: number,
    { waitMs, signal }: { waitMs: number; signal: AbortSignal },
  ): Promise<SignedView | undefined> {
    const found = (): SignedView | undefined =>
      this.#signed !== undefined && this.#signed.sequence !== after ? this.#signed : undefined;
    if (found() !== undefined || waitMs <= 0 || signal.aborted) return found();
    if (this.#waiting.size >= waitersMax) throw coded('OVERLOADED', { retryAfterMs: 1000 });
    const ended = new AbortController();
    const end = (): void => {
      ended.abort();
    };
    this.#waiting.add(end);
    signal.addEventListener('abort', end, { once: true });
    await this.#clock.sleep(waitMs, { signal: ended.signal }).catch(() => undefined);
    signal.removeEventListener('abort', end);
    this.#waiting.delete(end);
    return found();
  }

  /** Signs until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const isOver = (): boolean => signal.aborted;
    const isUrgent = (): boolean => this.#isUrgent;
    while (!isOver()) {
      this.#isUrgent = false;
      await this.#sign();
      await this.#clock.sleep(signMsMin, { signal }).catch(() => undefined);
      // It may have become urgent while it was signed.
      if (!isUrgent()) await this.#pause(signal);
    }
    for (const wake of [...this.#waiting]) wake();
  }

  async #pause(signal: AbortSignal): Promise<void> {
    const sleeping = new AbortController();
    this.#hurry = () => {
      sleeping.abort();
    };
    signal.addEventListener('abort', this.#hurry, { once: true });
    await this.#clock.sleep(refreshMs, { signal: sleeping.signal }).catch(() => undefined);
    signal.removeEventListener('abort', this.#hurry);
    this.#hurry = undefined;
  }

  async #sign(): Promise<void> {
    const body = this.#view;
    if (body === undefined) return;
    const issuedAtMs = Math.round(this.#clock.nowMs());
    // By the clock, so that it goes on growing after a restart.
    this.#sequence = Math.max(this.#sequence + 1, issuedAtMs);
    const sequence = this.#sequence;
    const document = {
      audience: 'steering',
      sequence,
      issuedAtMs,
      notAfterMs: issuedAtMs + viewLifeMs,
      body,
    };
    this.#signed = { sequence, jws: await signDocument(documentTypes.peerView, document, this.#key) };
    for (const wake of [...this.#waiting]) wake();
  }
}
