import type { Dispatcher } from 'undici';
import type { Clock } from '../../common/runtime/clock.ts';
import { coded, systemCode } from '../../common/runtime/errors.ts';
import type { AnswerSink } from '../../common/runtime/bare-reply.ts';
import {
  isIdempotent,
  isServiceFailure,
  isUnsent,
  requestFields,
  type Asker,
  type FieldValue,
} from './core/forwarding.ts';
import type { Upstream, UpstreamGroup } from './upstream-group.ts';

/**
 * How one try has ended. `answered`: the client has it, `gone`: nobody waits for it, `refused`: the service said that it is in
 * trouble, `unsent`: nothing has reached it, `late`: it took too long.
 */
type Outcome =
  | { readonly kind: 'answered' | 'gone' | 'refused' }
  | { readonly kind: 'unsent' | 'failed' | 'late'; readonly cause: unknown };

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
export type ForwardSink = Omit<AnswerSink, 'begin'> & {
  begin(status: number, fields: Readonly<Record<string, FieldValue>>): void;
};

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
 *
 * @throws OVERLOADED, UNAVAILABLE, UPSTREAM_FAILED, TIMEOUT.
 */
export async function forward(request: Forwarded, sink: ForwardSink, options: ForwardOptions): Promise<void> {
  const { group } = options;
  if (group.inFlight >= IN_FLIGHT_MAX)
    throw coded('OVERLOADED', { detail: `${group.prefix} has as much to do as it can`, retryAfterMs: 1000 });
  group.inFlight++;
  try {
    await tryAll(request, sink, options);
  } finally {
    group.inFlight--;
  }
}

async function tryAll(request: Forwarded, sink: ForwardSink, options: ForwardOptions): Promise<void> {
  const { group, clock, onRetry } = options;
  const endsMs = clock.monotonicMs() + REACH_MS;
  const tried = new Set<Upstream>();
  let tries = 1;
  const mayRepeat = (): boolean => tries < TRIES_MAX && isIdempotent(request.method) && group.budget.take();
  const mayGoElsewhere = (): boolean => tried.size < group.upstreams.length && mayRepeat();
  group.budget.note();
  while (!sink.isGone) {
    const upstream = group.pick(tried);
    if (upstream !== undefined) tried.add(upstream);
    const outcome: Outcome =
      upstream === undefined
        ? { kind: 'unsent', cause: undefined }
        : await tryOnce({ request, sink, upstream, mayGoElsewhere }, options);
    if (outcome.kind === 'answered' || outcome.kind === 'gone') return;
    if (outcome.kind === 'unsent') {
      const { cause } = outcome;
      if (clock.monotonicMs() >= endsMs)
        throw coded('UNAVAILABLE', { detail: group.prefix, cause, retryAfterMs: 1000 });
      if (upstream === undefined || tried.size === group.upstreams.length) await clock.sleep(REACH_AGAIN_MS);
      continue;
    }
    if (outcome.kind === 'late') throw coded('TIMEOUT', { detail: group.prefix, cause: outcome.cause });
    if (outcome.kind === 'failed' && !mayRepeat())
      throw coded('UPSTREAM_FAILED', { detail: group.prefix, cause: outcome.cause });
    tries++;
    onRetry();
  }
}

interface Try {
  readonly request: Forwarded;
  readonly sink: ForwardSink;
  readonly upstream: Upstream;
  /** Whether another is to be asked when this one answers that it is in trouble; asked once. */
  readonly mayGoElsewhere: () => boolean;
}

async function tryOnce(one: Try, { clock, onFailure }: ForwardOptions): Promise<Outcome> {
  const { upstream } = one;
  upstream.inFlight++;
  const outcome = await new Promise<Outcome>((resolve) => {
    dispatch(one, resolve);
  });
  upstream.inFlight--;
  const { kind } = outcome;
  // Whoever answers is there, whatever the answer is.
  const isFailure = kind === 'unsent' || kind === 'failed' || kind === 'late';
  if (isFailure || kind === 'refused') onFailure(upstream);
  upstream.circuit.end(isFailure ? 'failed' : kind === 'gone' ? 'left' : 'succeeded', clock.monotonicMs());
  return outcome;
}

function dispatch(
  { request, sink, upstream, mayGoElsewhere }: Try,
  resolve: (outcome: Outcome) => void,
): void {
  let isRefused = false;
  const end = (outcome: Outcome): void => {
    sink.whenGone(undefined);
    resolve(outcome);
  };
  upstream.pool.dispatch(
    {
      path: request.path,
      method: request.method,
      headers: requestFields(request.rawFields, request.asker),
      body: request.body,
    },
    {
      onRequestStart(controller) {
        const leave = (): void => {
          controller.abort(coded('ABORTED'));
        };
        if (sink.isGone) leave();
        else sink.whenGone(leave);
      },
      onResponseStart(controller, status, headers) {
        // 1xx (RFC 9110 §15.2) are between the service and the gateway.
        if (status < 200) return;
        if (isServiceFailure(status) && mayGoElsewhere()) {
          isRefused = true;
          controller.abort(coded('UPSTREAM_FAILED', `it answers ${status}`));
          return;
        }
        sink.begin(status, headers);
      },
      onResponseData(controller, chunk) {
        writeOn(controller, sink, chunk);
      },
      onResponseEnd() {
        sink.end();
        end({ kind: 'answered' });
      },
      onResponseError(_controller, cause) {
        end(isRefused ? { kind: 'refused' } : outcomeOf(cause, sink));
      },
    },
  );
}

/** The service is read no faster than the client reads. */
function writeOn(controller: Dispatcher.DispatchController, sink: ForwardSink, chunk: Buffer): void {
  const isRoom = sink.write(chunk, () => {
    controller.resume();
  });
  if (!isRoom) controller.pause();
}

function outcomeOf(cause: Error, sink: ForwardSink): Outcome {
  if (sink.hasBegun) {
    sink.cut();
    return { kind: 'gone' };
  }
  if (sink.isGone) return { kind: 'gone' };
  const code = systemCode(cause);
  if (isUnsent(code)) return { kind: 'unsent', cause };
  const isLate = code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT';
  return { kind: isLate ? 'late' : 'failed', cause };
}
