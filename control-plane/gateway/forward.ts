import type { FieldList } from '../../common/core/lean-request.ts';
import type { AnswerSink } from '../../common/runtime/bare-reply.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { coded, type CodedError } from '../../common/runtime/errors.ts';
import { isServiceFailure, mayRepeat, requestHead, type Asker } from './core/forwarding.ts';
import type { Exchange, FailureKind, UpstreamConnection } from './upstream-connection.ts';
import type { Upstream, UpstreamGroup } from './upstream-group.ts';

/**
 * How one try has ended. `answered`: the client has it, `gone`: nobody waits for it, `refused`: the service said that it is in
 * trouble.
 */
type Outcome = 'answered' | 'gone' | 'refused' | FailureKind;

/** A request that goes on, whole. */
export interface Forwarded {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  /** Names and values in turn, as the client sent them. */
  readonly rawFields: readonly string[];
  readonly body: Buffer | null;
  readonly asker: Asker;
}

/** Where the answer goes; it adds the gateway's own fields to the service's. */
export interface ForwardSink extends AnswerSink {
  /** It is over; `fault`: OVERLOADED, UNAVAILABLE, UPSTREAM_FAILED or TIMEOUT, and nothing has been answered. */
  over(fault: CodedError | undefined): void;
}

export interface ForwardOptions {
  readonly group: UpstreamGroup;
  readonly clock: Clock;
  readonly onRetry: () => void;
  readonly onFailure: (upstream: Upstream) => void;
}

// A service with one process is away for about as long while that starts again.
const REACH_MS = 3000;
const REACH_AGAIN_MS = 50;
const TRIES_MAX = 3;
const IN_FLIGHT_MAX = 512;

/**
 * Sends a request on and its answer back. A try that reached nobody is made again elsewhere, or here a little later, for up to
 * three seconds; one that failed on its way is repeated only where that does no harm and the budget allows.
 */
export function forward(request: Forwarded, sink: ForwardSink, options: ForwardOptions): void {
  const { group } = options;
  if (group.inFlight >= IN_FLIGHT_MAX) {
    const detail = `${group.prefix} has as much to do as it can`;
    sink.over(coded('OVERLOADED', { detail, retryAfterMs: 1000 }));
    return;
  }
  group.inFlight++;
  group.budget.note();
  const forwarding = new Forwarding(request, sink, options);
  forwarding.ask();
}

/** One request on its way: all of its tries, without a promise or a closure for any of them. */
class Forwarding implements Exchange {
  readonly method: string;
  readonly head: string;
  readonly body: Buffer | null;
  connection: UpstreamConnection | undefined;
  readonly #sink: ForwardSink;
  readonly #options: ForwardOptions;
  readonly #endsMs: number;
  readonly #isRepeatable: boolean;
  readonly #tried: Upstream[] = [];
  #upstream: Upstream | undefined;
  #tries = 1;

  constructor(
    { method, path, rawFields, asker, body }: Forwarded,
    sink: ForwardSink,
    options: ForwardOptions,
  ) {
    this.method = method;
    this.body = body;
    const bodyBytes = body?.length ?? (hasPayload.includes(method) ? 0 : undefined);
    this.head = requestHead({ method, path, rawFields, asker, bodyBytes });
    this.#isRepeatable = mayRepeat(method, rawFields);
    this.#sink = sink;
    this.#options = options;
    this.#endsMs = options.clock.monotonicMs() + REACH_MS;
  }

  /** Tries once, with the process that has the least to do of those that were not tried. */
  ask(): void {
    if (this.#sink.isGone) {
      this.#over(undefined);
      return;
    }
    const upstream = this.#options.group.pick(this, this.#tried);
    this.#upstream = upstream;
    if (upstream === undefined) {
      this.#wasUnsent(undefined);
      return;
    }
    if (!this.#tried.includes(upstream)) this.#tried.push(upstream);
    upstream.inFlight++;
    this.#sink.watch(this);
    upstream.pool.ask(this);
  }

  /** The client has left. */
  left(): void {
    this.#upstream?.pool.abandon(this);
    this.#ended('gone', undefined);
  }

  answerBegin(status: number, fields: FieldList): boolean {
    if (isServiceFailure(status) && this.#mayGoElsewhere()) {
      this.#ended('refused', undefined);
      return false;
    }
    this.#sink.begin(status, fields);
    return true;
  }

  answerData(part: Buffer): boolean {
    return this.#sink.write(part, this);
  }

  /** The client has read what was written: the service is read no faster. */
  drained(): void {
    this.connection?.resume(this);
  }

  answerEnd(): void {
    this.#sink.watch(undefined);
    this.#sink.end();
    this.#ended('answered', undefined);
  }

  failed(kind: FailureKind, cause: Error): void {
    if (!this.#sink.hasBegun) {
      this.#ended(this.#sink.isGone ? 'gone' : kind, cause);
      return;
    }
    this.#sink.watch(undefined);
    this.#sink.cut();
    // That it broke off is known of the service too.
    this.#ended('gone', cause);
  }

  #ended(outcome: Outcome, cause: Error | undefined): void {
    const upstream = this.#upstream;
    if (upstream === undefined) return;
    this.#upstream = undefined;
    this.#sink.watch(undefined);
    upstream.inFlight--;
    const { clock, onFailure } = this.#options;
    // Whoever answers is there, whatever the answer is.
    const isFailure = outcome === 'unsent' || outcome === 'failed' || outcome === 'late';
    if (isFailure || outcome === 'refused') onFailure(upstream);
    upstream.circuit.end(
      this,
      isFailure ? 'failed' : outcome === 'gone' ? 'left' : 'succeeded',
      clock.monotonicMs(),
    );
    if (outcome === 'answered' || outcome === 'gone') this.#over(undefined);
    else if (outcome === 'unsent') this.#wasUnsent(cause);
    else this.#wasLost(outcome, cause);
  }

  /** Nothing was done, so it may be asked again, elsewhere or a little later. */
  #wasUnsent(cause: Error | undefined): void {
    const { group, clock } = this.#options;
    if (clock.monotonicMs() >= this.#endsMs) {
      this.#over(coded('UNAVAILABLE', { detail: group.prefix, cause, retryAfterMs: 1000 }));
    } else if (cause !== undefined && this.#tried.length < group.upstreams.length) {
      this.ask();
    } else {
      void clock.sleep(REACH_AGAIN_MS).then(() => {
        this.ask();
      });
    }
  }

  #wasLost(outcome: 'refused' | 'failed' | 'late', cause: Error | undefined): void {
    const { group, onRetry } = this.#options;
    if (outcome === 'late') {
      this.#over(coded('TIMEOUT', { detail: group.prefix, cause }));
    } else if (outcome === 'failed' && !this.#mayRepeat()) {
      this.#over(coded('UPSTREAM_FAILED', { detail: group.prefix, cause }));
    } else {
      this.#tries++;
      onRetry();
      this.ask();
    }
  }

  /** Takes of the budget. */
  #mayRepeat(): boolean {
    return this.#tries < TRIES_MAX && this.#isRepeatable && this.#options.group.budget.take();
  }

  /** Whether another is to be asked when this one answers that it is in trouble. */
  #mayGoElsewhere(): boolean {
    return this.#tried.length < this.#options.group.upstreams.length && this.#mayRepeat();
  }

  #over(fault: CodedError | undefined): void {
    this.#options.group.inFlight--;
    this.#sink.over(fault);
  }
}

/** Of these a body is expected, if an empty one (RFC 9110 §8.6). */
const hasPayload: readonly string[] = ['POST', 'PUT', 'PATCH'];
